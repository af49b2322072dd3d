import { Anchor, Stack, Text } from '@mantine/core'
import { Link } from 'react-router'
import { useTeam } from '../../app/context.tsx'
import { JsonView } from '../../kit/json-view.tsx'
import { Section } from '../../kit/section.tsx'
import type { FlowFacts } from './queries.ts'
import { useText } from './text.ts'

/** How a source hands in sessions of this flow. */
export function Submitting({ flow }: { readonly flow: FlowFacts }) {
  const { t } = useText()
  const team = useTeam()
  return (
    <Section title={t('submitting')} description={t('submitting.text')} framed>
      <Stack gap="sm">
        <JsonView label={t('submitting.request')} value={requestFor({ team: team.slug, flow: flow.slug })} />
        <Text size="sm">
          {t('submitting.key')}{' '}
          <Anchor component={Link} to="/credentials" size="sm" underline="always">
            {t('submitting.credentials')}
          </Anchor>
        </Text>
      </Stack>
    </Section>
  )
}

function requestFor({ team, flow }: { readonly team: string; readonly flow: string }): string {
  return `curl ${location.origin}/v1/sessions/$(uuidgen | tr A-Z a-z) -X PUT \\
  -u 'KEY:SECRET' \\
  -H 'content-type: application/json' \\
  -d '${JSON.stringify({ team, flow, data: { 'applicant.name': '…' } })}'`
}
