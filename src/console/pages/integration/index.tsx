import { Alert, Badge, Button, Paper, SimpleGrid, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconInfoCircle, IconPencil, IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react'
import { useParams } from 'react-router'
import { useAction, useLive } from '../../api/hooks.ts'
import { platform, useCan, useOwner, useTeamChoice } from '../../app/context.tsx'
import { AbsentRow } from '../../kit/absent-row.tsx'
import { CopyText } from '../../kit/copy-button.tsx'
import { LiveDot } from '../../kit/live-dot.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { useKitText } from '../../kit/text.ts'
import { Time } from '../../kit/time.tsx'
import { AddFlowDialog, DisableDialog, EditDialog } from './dialogs.tsx'
import { Grants } from './grants.tsx'
import { Parts } from './parts.tsx'
import {
  type IntegrationFacts,
  liveIntegration,
  liveParts,
  type PartsOfIntegration,
  updateIntegration,
} from './queries.ts'
import { useText } from './text.ts'

/** One integration: which flows send to it, how sessions reach it, and what was opened to it. */
export function Component() {
  const { t } = useText()
  const { id = '' } = useParams()
  const integration = useLive(liveIntegration, { id })
  const back = { to: '/integrations', label: t('integrations') }
  const found = integration.data?.integrations_by_pk
  if (found) return <Integration integration={found} back={back} />
  return (
    <AbsentRow of={integration} title={t('title')} list={back} goneTitle={t('gone.title')}>
      {t('gone.text')}
    </AbsentRow>
  )
}

interface IntegrationProps {
  readonly integration: IntegrationFacts
  readonly back: { readonly to: string; readonly label: string }
}

function Integration({ integration, back }: IntegrationProps) {
  const { t } = useText()
  const { team, rows: owner } = useOwner()
  const { edit, administer } = useCan()
  const { choose } = useTeamChoice()
  const isPlatform = integration.team_id === null
  const own = isPlatform ? administer : edit
  const [editing, editor] = useDisclosure()
  const [disabling, disabler] = useDisclosure()
  const [adding, adder] = useDisclosure()
  const parts = useLive(liveParts, { id: integration.id, flows: team ? { flow: { team_id: owner } } : {} })
  const isOff = integration.status === 'disabled'
  return (
    <>
      <PageHeader
        title={integration.name}
        badge={
          <>
            {isOff && <StatusBadge tone="off">{t('state.disabled')}</StatusBadge>}
            {isPlatform && <Badge variant="default">{t('platform')}</Badge>}
            <LiveDot />
          </>
        }
        back={back}
        description={integration.description}
        actions={
          own && (
            <>
              <Button variant="default" leftSection={<IconPencil size={18} aria-hidden />} onClick={editor.open}>
                {t('edit')}
              </Button>
              {isOff ? (
                <EnableButton integration={integration} />
              ) : (
                <Button
                  variant="default"
                  leftSection={<IconPlayerPause size={18} aria-hidden />}
                  onClick={disabler.open}
                >
                  {t('disable')}
                </Button>
              )}
            </>
          )
        }
      />
      <Stack gap="xl">
        {isOff && (
          <Alert color="yellow" icon={<IconInfoCircle aria-hidden />} title={t('off.title')}>
            {t('off.text')}
          </Alert>
        )}
        {isPlatform && team && (
          <Alert icon={<IconInfoCircle aria-hidden />} title={t('platform.title')}>
            {t(administer ? 'platform.admin' : 'platform.text')}
            {administer && (
              <Button mt="xs" size="compact-sm" variant="default" display="block" onClick={() => choose(platform)}>
                {t('platform.open')}
              </Button>
            )}
          </Alert>
        )}
        <Facts integration={integration} parts={parts.data?.integrations_by_pk} />
        <Loaded of={parts}>
          {({ integrations_by_pk: data }) =>
            data && (
              <Stack gap="xl">
                <Parts integration={integration} parts={data} onAddFlow={adder.open} />
              </Stack>
            )
          }
        </Loaded>
        <Grants id={integration.id} />
      </Stack>
      {editing && <EditDialog integration={integration} onClose={editor.close} />}
      {disabling && <DisableDialog integration={integration} onClose={disabler.close} />}
      {adding && <AddFlowDialog integration={integration} onClose={adder.close} />}
    </>
  )
}

function EnableButton({ integration: { id, name } }: { readonly integration: IntegrationFacts }) {
  const { t } = useText()
  const update = useAction(updateIntegration, { success: t('enable.done', { name }), notify: true })
  return (
    <Button
      leftSection={<IconPlayerPlay size={18} aria-hidden />}
      loading={update.running}
      onClick={() => void update.run({ id, set: { status: 'active' } })}
    >
      {t('enable')}
    </Button>
  )
}

interface FactsProps {
  readonly integration: IntegrationFacts
  readonly parts: PartsOfIntegration | null | undefined
}

/** What one wants to know at a glance. */
function Facts({ integration, parts }: FactsProps) {
  const { t } = useText()
  const { t: kit } = useKitText()
  const { open_grants, session_grants_aggregate, last_read, created_at, slug } = integration
  const used = (parts?.api_credentials ?? [])
    .flatMap(({ secrets }) => secrets.map(({ last_used_at }) => last_used_at ?? ''))
    .sort()
    .at(-1)
  const facts = [
    [kit('slug'), <CopyText key="slug" value={slug} what={kit('slug')} />],
    [
      t('opened'),
      <span key="opened">
        {session_grants_aggregate.aggregate.count > 0
          ? t('opened.count', {
              count: session_grants_aggregate.aggregate.count,
              open: open_grants.aggregate.count,
            })
          : t('opened.none')}
      </span>,
    ],
    [t('lastRead'), <Time key="read" at={last_read[0]?.first_retrieved_at} relative />],
    [t('keyUsed'), <Time key="used" at={used || null} relative />],
    [t('created'), <Time key="created" at={created_at} day />],
  ] as const
  return (
    <Paper withBorder p="md" bg="var(--sluice-surface)">
      <SimpleGrid component="dl" cols={{ base: 2, sm: 3, lg: 5 }} spacing="md" verticalSpacing="sm" m={0}>
        {facts.map(([label, value]) => (
          <div key={label}>
            <Text component="dt" size="xs" c="dimmed">
              {label}
            </Text>
            <Text component="dd" size="sm" m={0}>
              {value}
            </Text>
          </div>
        ))}
      </SimpleGrid>
    </Paper>
  )
}
