import { Button, Code, Select, Stack, Text } from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconKey } from '@tabler/icons-react'
import { useState } from 'react'
import { useAction, useRead } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { CopyText } from '../../kit/copy-button.tsx'
import { FormModal } from '../../kit/form-modal.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { SecretOnce } from '../../kit/secret-once.tsx'
import { Section } from '../../kit/section.tsx'
import { Time } from '../../kit/time.tsx'
import { Facts } from '../connector-parts/facts.tsx'
import { type ConnectionDetail, type InboundAddress, inboundAddress, rotateInbound } from './queries.ts'
import { useText } from './text.ts'

/** Where third parties send payloads to, and how they prove who they are. */
export function Inbound({ connection }: { readonly connection: ConnectionDetail }) {
  const { t } = useText()
  const { edit } = useCan()
  const [rotating, setRotating] = useState(false)
  const address = useRead(inboundAddress, { id: connection.id })
  const found = address.data?.inbound_address
  return (
    <Section
      title={t('inbound')}
      description={t('inbound.text')}
      framed
      actions={
        edit &&
        found?.authentication === 'secret' && (
          <Button variant="default" leftSection={<IconKey size={18} aria-hidden />} onClick={() => setRotating(true)}>
            {t(connection.inbound_secret_set_at ? 'inbound.rotate' : 'inbound.first')}
          </Button>
        )
      }
    >
      <Loaded of={address}>
        {({ inbound_address: row }) => <Address row={row} setAt={connection.inbound_secret_set_at} />}
      </Loaded>
      {rotating && found && (
        <RotateDialog
          connection={connection}
          address={found}
          onClose={() => {
            setRotating(false)
            address.refresh()
          }}
        />
      )}
    </Section>
  )
}

function Address({ row, setAt }: { readonly row: InboundAddress; readonly setAt: string | null }) {
  const { t } = useText()
  return (
    <Facts
      facts={[
        [t('inbound.url'), <CopyText key="url" value={row.url} what={t('inbound.url')} />],
        [
          t('inbound.global'),
          <Stack key="global" gap={2} align="flex-start">
            <CopyText value={row.global_url} what={t('inbound.global')} />
            <Text size="xs" c="dimmed" component="span">
              {t('inbound.globalText')}
            </Text>
          </Stack>,
        ],
        [t('inbound.proof'), t(`inbound.proof.${row.authentication}`)],
        row.authentication === 'secret' && [
          t('inbound.secret'),
          setAt ? (
            <span key="secret">
              {t('inbound.setAt')} <Time at={setAt} relative />
              {row.live_secrets > 1 && ` · ${t('inbound.two')}`}
            </span>
          ) : (
            t('inbound.noSecret')
          ),
        ],
        [t('inbound.reply'), t(`inbound.reply.${row.reply}`)],
      ]}
    />
  )
}

/** How long the old secret may go on, in seconds. */
const overlaps = [0, 3_600, 86_400, 604_800] as const

interface RotateDialogProps {
  readonly connection: ConnectionDetail
  readonly address: InboundAddress
  readonly onClose: () => void
}

function RotateDialog({ connection, address, onClose }: RotateDialogProps) {
  const { t } = useText()
  const isFirst = connection.inbound_secret_set_at === null
  const [wasFirst] = useState(isFirst)
  const [made, setMade] = useState<{ readonly secret: string; readonly previous_until: string | null }>()
  const form = useForm({ initialValues: { overlap_seconds: '86400' } })
  const rotate = useAction(rotateInbound, { form })
  if (made) {
    return (
      <SecretOnce
        title={t('inbound.madeTitle', { name: connection.name })}
        values={[
          { label: t('inbound.url'), value: address.url },
          { label: t('inbound.secret'), value: made.secret, secret: true },
        ]}
        onClose={onClose}
      >
        <Stack gap="xs">
          {made.previous_until && (
            <span>
              {t('inbound.oldUntil')} <Time at={made.previous_until} />
            </span>
          )}
          <span>{t('inbound.example')}</span>
          <Code block style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
            {exampleOf(address.url)}
          </Code>
        </Stack>
      </SecretOnce>
    )
  }
  return (
    <FormModal
      title={t(wasFirst ? 'inbound.first' : 'inbound.rotate')}
      action={t(wasFirst ? 'inbound.first' : 'inbound.rotate')}
      running={rotate.running}
      fault={rotate.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ overlap_seconds }) => {
        const done = await rotate.run({ id: connection.id, overlap: wasFirst ? 0 : Number(overlap_seconds) })
        if (done) setMade(done.rotate_inbound_secret)
      })}
    >
      <Text size="sm">{t(wasFirst ? 'inbound.firstText' : 'inbound.rotateText')}</Text>
      {!wasFirst && (
        <Select
          label={t('inbound.overlap')}
          allowDeselect={false}
          data={overlaps.map((seconds) => ({ value: String(seconds), label: t(`inbound.overlap.${seconds}`) }))}
          {...form.getInputProps('overlap_seconds')}
        />
      )}
    </FormModal>
  )
}

function exampleOf(url: string): string {
  return `curl ${url} \\
  -H 'authorization: Bearer THE-SECRET' \\
  -H 'content-type: application/json' \\
  -d '{"number": "B-1"}'`
}
