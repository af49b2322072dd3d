import { Anchor, Button, Divider, Group, Stack, Text } from '@mantine/core'
import { IconLockOff } from '@tabler/icons-react'
import { Fragment, useState } from 'react'
import { Link } from 'react-router'
import { useAction } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { ConfirmDelete } from '../../kit/confirm-delete.tsx'
import { Section } from '../../kit/section.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { type GrantRow, type SessionFacts, withdrawGrant } from './queries.ts'
import { useText } from './text.ts'

/** Who may read the session, and until when: each integration has its own clock. */
export function Access({ session }: { readonly session: SessionFacts }) {
  const { t } = useText()
  const [closing, setClosing] = useState<GrantRow>()
  return (
    <Section title={t('access')} framed>
      {session.grants.length === 0 ? (
        <Text size="sm" c="dimmed">
          {t(session.status === 'invalid' ? 'access.invalid' : 'access.none')}
        </Text>
      ) : (
        <Stack gap="sm">
          {session.grants.map((grant, index) => (
            <Fragment key={grant.id}>
              {index > 0 && <Divider />}
              <Grant grant={grant} onClose={() => setClosing(grant)} />
            </Fragment>
          ))}
        </Stack>
      )}
      {closing && <WithdrawDialog session={session.id} grant={closing} onClose={() => setClosing(undefined)} />}
    </Section>
  )
}

function Grant({ grant, onClose }: { readonly grant: GrantRow; readonly onClose: () => void }) {
  const { t } = useText()
  const { edit } = useCan()
  const state = stateOf(grant, Date.now())
  const { integration, first_retrieved_at, expires_at, revoked_at } = grant
  return (
    <Stack gap={4}>
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <Text size="sm" fw={600} component="span" style={{ overflowWrap: 'anywhere' }}>
          {integration ? (
            <Anchor component={Link} to={`/integrations/${integration.id}`} inherit>
              {integration.name}
            </Anchor>
          ) : (
            t('platform')
          )}
        </Text>
        <StatusBadge tone={state === 'open' ? 'good' : 'off'}>{t(`access.${state}`)}</StatusBadge>
      </Group>
      <Text size="sm" c="dimmed" component="div">
        {first_retrieved_at ? (
          <>
            {t('access.readFirst')} <Time at={first_retrieved_at} relative />
          </>
        ) : (
          t('access.unread')
        )}
      </Text>
      <Text size="sm" c="dimmed" component="div">
        {state === 'open' ? (
          <>
            {t('access.ends')} <Time at={expires_at} relative />
          </>
        ) : (
          <>
            {t('access.endedAt')} <Time at={revoked_at ?? expires_at} relative />
          </>
        )}
      </Text>
      {edit && state === 'open' && (
        <Group>
          <Button
            variant="default"
            size="compact-xs"
            leftSection={<IconLockOff size={14} aria-hidden />}
            onClick={onClose}
            aria-label={t('withdraw.for', { name: integration?.name ?? t('platform') })}
          >
            {t('withdraw')}
          </Button>
        </Group>
      )}
    </Stack>
  )
}

function stateOf({ revoked_at, expires_at, purged_at }: GrantRow, now: number): 'open' | 'ended' | 'withdrawn' {
  if (revoked_at) return 'withdrawn'
  return purged_at || Date.parse(expires_at) <= now ? 'ended' : 'open'
}

interface WithdrawDialogProps {
  readonly session: string
  readonly grant: GrantRow
  readonly onClose: () => void
}

function WithdrawDialog({ session, grant, onClose }: WithdrawDialogProps) {
  const { t } = useText()
  const name = grant.integration?.name ?? t('platform')
  const withdraw = useAction(withdrawGrant, { success: t('withdraw.done', { name }) })
  return (
    <ConfirmDelete
      title={t('withdraw.title', { name })}
      action={t('withdraw')}
      name={name}
      running={withdraw.running}
      fault={withdraw.fault}
      onClose={onClose}
      onConfirm={async () => {
        if (await withdraw.run({ session, integration: grant.integration_id })) onClose()
      }}
    >
      {t('withdraw.text', { name })}
    </ConfirmDelete>
  )
}
