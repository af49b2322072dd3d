import { Alert, Box, Button, Code, DataList, Group, Paper, SimpleGrid, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconAlertTriangle, IconCircleMinus, IconRefresh } from '@tabler/icons-react'
import { useAction } from '../../api/hooks.ts'
import { useWaiting } from '../../api/use-waiting.ts'
import { useCan, useOwner } from '../../app/context.tsx'
import { CopyText } from '../../kit/copy-button.tsx'
import { JsonView } from '../../kit/json-view.tsx'
import { Section } from '../../kit/section.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { stateOf } from '../webhooks/state.ts'
import { enableWebhook, type Webhook } from './queries.ts'
import { RotateDialog } from './rotate-dialog.tsx'
import { useText } from './text.ts'

/** How it fares, what signs for it, and how it is set. */
export function Overview({ webhook }: { readonly webhook: Webhook }) {
  return (
    <Stack gap="lg">
      <Health webhook={webhook} />
      <Numbers webhook={webhook} />
      <Secrets webhook={webhook} />
      <Settings webhook={webhook} />
    </Stack>
  )
}

/** Nothing while it works; else why not, what comes next, and a way back. */
function Health({ webhook }: { readonly webhook: Webhook }) {
  const { t } = useText()
  const { edit } = useCan()
  const enable = useAction(enableWebhook, { success: t('enable.done'), notify: true })
  const state = stateOf(webhook)
  if (state === 'works' || state === 'stumbles') return null
  const { state_reason, failing_since, disabled_at, probe_at } = webhook
  const isOff = state === 'off'
  return (
    <Alert
      color={{ off: 'gray', failing: 'yellow', gaveUp: 'red' }[state]}
      icon={isOff ? <IconCircleMinus aria-hidden /> : <IconAlertTriangle aria-hidden />}
      title={t(`health.${state}`)}
    >
      <Stack gap={4}>
        <Text size="sm">{t(`health.${state}Text`)}</Text>
        {!isOff && state_reason && (
          <Text size="sm" lang="en" style={{ overflowWrap: 'anywhere' }}>
            {state_reason}
          </Text>
        )}
        {!isOff && (
          <Group gap="4px 16px">
            {failing_since && (
              <Text size="sm" component="span">
                {t('health.since')} <Time at={failing_since} relative />
              </Text>
            )}
            {state === 'gaveUp' && disabled_at && (
              <Text size="sm" component="span">
                {t('health.offSince')} <Time at={disabled_at} relative />
              </Text>
            )}
            {state === 'gaveUp' && (
              <Text size="sm" component="span">
                {probe_at ? (
                  <>
                    {t('health.probe')} <Time at={probe_at} relative />
                  </>
                ) : (
                  t('health.noProbe')
                )}
              </Text>
            )}
          </Group>
        )}
        {edit && state !== 'failing' && (
          <Button
            mt={4}
            size="compact-sm"
            variant="default"
            style={{ alignSelf: 'flex-start' }}
            loading={enable.running}
            onClick={() => void enable.run({ id: webhook.id, enabled: true })}
          >
            {t(isOff ? 'enable' : 'enable.again')}
          </Button>
        )}
      </Stack>
    </Alert>
  )
}

function Numbers({ webhook }: { readonly webhook: Webhook }) {
  const { t, language } = useText()
  const { team } = useOwner()
  const waiting = useWaiting(team?.id)
  const number = (count: number | undefined) => new Intl.NumberFormat(language).format(count ?? 0)
  const facts = [
    [t('success'), <Time key="success" at={webhook.succeeded[0]?.finished_at} relative />],
    ...(team ? [[t('waiting'), waiting ? number(waiting.get(webhook.id)) : ''] as const] : []),
    [t('exhausted'), number(webhook.exhausted.aggregate?.count)],
    [t('failures'), number(webhook.consecutive_failures)],
  ] as const
  return (
    <SimpleGrid cols={{ base: 2, sm: facts.length }} spacing="sm">
      {facts.map(([label, value]) => (
        <Paper key={label} withBorder p="sm" bg="var(--sluice-surface)">
          <Text size="xs" c="dimmed">
            {label}
          </Text>
          <Text fw={600} fz="lg" component="div">
            {value}
          </Text>
        </Paper>
      ))}
    </SimpleGrid>
  )
}

function Secrets({ webhook }: { readonly webhook: Webhook }) {
  const { t } = useText()
  const { edit } = useCan()
  const [rotating, { open, close }] = useDisclosure()
  const live = webhook.secrets.filter(({ expires_at }) => !expires_at || Date.parse(expires_at) > Date.now())
  return (
    <Section
      title={t('secrets')}
      description={t('secrets.text')}
      framed
      actions={
        edit && (
          <Button size="xs" variant="default" leftSection={<IconRefresh size={16} aria-hidden />} onClick={open}>
            {t('rotate')}
          </Button>
        )
      }
    >
      <Stack gap={6} component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
        {live.map(({ id, created_at, expires_at }) => (
          <Group key={id} component="li" gap="4px 12px">
            <StatusBadge tone={expires_at ? 'warning' : 'good'}>
              {t(expires_at ? 'secrets.ending' : 'secrets.current')}
            </StatusBadge>
            <Text size="sm" component="span">
              {t('secrets.made')} <Time at={created_at} />
            </Text>
            {expires_at && (
              <Text size="sm" component="span">
                {t('secrets.until')} <Time at={expires_at} />
              </Text>
            )}
          </Group>
        ))}
      </Stack>
      {rotating && <RotateDialog webhook={webhook} onClose={close} />}
    </Section>
  )
}

function Settings({ webhook }: { readonly webhook: Webhook }) {
  const { t } = useText()
  const { url, integration, events, pattern, config, headers, secret_header_names, signatures } = webhook
  const names = [
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...secret_header_names.map((name) => `${name}: ••••••`),
  ]
  const rows: readonly (readonly [string, React.ReactNode])[] = [
    [t('url'), <CopyText key="url" value={url} what={t('url')} />],
    [t('integration'), integration?.name ?? ''],
    [t('events'), <Codes key="events" values={events} />],
    [
      t('pattern'),
      isEmpty(pattern) ? t('pattern.all') : <JsonView key="pattern" value={pattern} label={t('pattern')} />,
    ],
    [t('config'), isEmpty(config) ? t('none') : <JsonView key="config" value={config} label={t('config')} />],
    [t('headers'), names.length === 0 ? t('none') : <Codes key="headers" values={names} />],
    [t('signatures'), signatures.join(', ')],
    [
      t('limits'),
      [
        t(webhook.ordered ? 'ordered' : 'unordered'),
        webhook.rate_per_second === null ? t('rate.none') : t('rate', { rate: webhook.rate_per_second }),
        ...(webhook.ordered ? [] : [t('concurrency', { count: webhook.concurrency })]),
        t('timeout', { seconds: webhook.timeout_ms / 1000 }),
      ].join(' · '),
    ],
    [t('created'), <Time key="created" at={webhook.created_at} />],
  ]
  return (
    <Section title={t('settings')} framed>
      <DataList gap="sm" orientation="horizontal">
        {rows.map(([label, value]) => (
          <DataList.Item key={label} style={{ flexWrap: 'wrap', rowGap: 0 }}>
            <DataList.ItemLabel w={140}>{label}</DataList.ItemLabel>
            <DataList.ItemValue style={{ flex: '1 1 220px', minWidth: 0, overflowWrap: 'anywhere' }}>
              {value}
            </DataList.ItemValue>
          </DataList.Item>
        ))}
      </DataList>
    </Section>
  )
}

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0
}

function Codes({ values }: { readonly values: readonly string[] }) {
  return (
    <Group gap={6} component="span">
      {values.map((value) => (
        <Box key={value} component="span" miw={0}>
          <Code style={{ overflowWrap: 'anywhere' }}>{value}</Code>
        </Box>
      ))}
    </Group>
  )
}
