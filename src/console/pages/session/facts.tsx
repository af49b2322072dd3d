import { Anchor, DataList, Text } from '@mantine/core'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { CopyText } from '../../kit/copy-button.tsx'
import { Section } from '../../kit/section.tsx'
import { Time } from '../../kit/time.tsx'
import { useText as useListText } from '../sessions/text.ts'
import type { SessionFacts } from './queries.ts'
import { useText } from './text.ts'
import { lastEnd } from './timeline.ts'

/** What is known of a session without its data. */
export function Facts({ session }: { readonly session: SessionFacts }) {
  const { t } = useText()
  const { t: tList } = useListText()
  const { id, flow, kind, payment_id, schema_url, revision, submitted_at, purged_at } = session
  return (
    <Section title={t('facts')} framed>
      <DataList gap={10} orientation="vertical">
        <Fact label={t('id')}>
          <CopyText value={id} what={t('id')} />
        </Fact>
        <Fact label={tList('flow')}>
          {flow && (
            <Anchor component={Link} to={`/flows/${flow.id}`} size="sm">
              {flow.name}
            </Anchor>
          )}
        </Fact>
        <Fact label={tList('kind')}>{tList(`kind.${kind}`)}</Fact>
        {payment_id && (
          <Fact label={t('payment')}>
            <CopyText value={payment_id} what={t('payment')} />
          </Fact>
        )}
        {schema_url && <Fact label={t('schema')}>{schema_url}</Fact>}
        <Fact label={t('revision')}>{revision}</Fact>
        <Fact label={tList('submitted')}>
          <Time at={submitted_at} />
        </Fact>
        <Fact label={t(purged_at ? 'erasedAt' : 'erasure')}>
          {purged_at ? (
            <Time at={purged_at} />
          ) : (
            <>
              <Time at={lastEnd(session)} relative />{' '}
              <Text span size="sm" c="dimmed">
                (<Time at={lastEnd(session)} day />)
              </Text>
            </>
          )}
        </Fact>
      </DataList>
    </Section>
  )
}

function Fact({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    <DataList.Item>
      <DataList.ItemLabel>{label}</DataList.ItemLabel>
      <DataList.ItemValue style={{ overflowWrap: 'anywhere', minWidth: 0 }}>{children}</DataList.ItemValue>
    </DataList.Item>
  )
}
