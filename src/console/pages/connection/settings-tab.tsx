import { Button, Group, Stack, Text } from '@mantine/core'
import { useMemo } from 'react'
import { useAction, useRead } from '../../api/hooks.ts'
import { useCan, useOwner } from '../../app/context.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { Section } from '../../kit/section.tsx'
import { type Choice, ConnectionFields, NameField, useConnectionForm } from '../connector-parts/connection-fields.tsx'
import { columnsOf, initialValues } from '../connector-parts/connection-values.ts'
import { type Fact, Facts } from '../connector-parts/facts.tsx'
import { HostList } from '../connector-parts/hosts.tsx'
import { type ConnectorRow, hostsWith } from '../connector-parts/manifest.ts'
import { isShownAtFields, SettingsFields, useSettingsForm } from '../connector-parts/settings-form.tsx'
import { useSettings } from '../connector-parts/use-settings.ts'
import { type ConnectionDetail, flowsOfTeam, setConnection, setSettings } from './queries.ts'
import { useText } from './text.ts'

/** What the connector is told, and how the connection is run; to be read by those who may not change it. */
export function SettingsTab({ connection }: { readonly connection: ConnectionDetail }) {
  const { t } = useText()
  const { edit } = useCan()
  const { connector } = connection
  if (!connector) return <Text size="sm">{t('connectorGone')}</Text>
  if (!edit) return <SettingsList connection={connection} connector={connector} />
  return (
    <Stack gap="lg" maw={880}>
      {/* What somebody else has saved starts a form anew. */}
      <ConnectorSettings
        key={JSON.stringify([connector.id, connection.settings, connection.secret_settings])}
        connection={connection}
        connector={connector}
      />
      <RunSettings key={connection.updated_at} connection={connection} connector={connector} />
    </Stack>
  )
}

interface PartProps {
  readonly connection: ConnectionDetail
  readonly connector: ConnectorRow
}

function ConnectorSettings({ connection, connector }: PartProps) {
  const { t, language } = useText()
  const save = useAction(setSettings, { success: t('settings.saved') })
  const items = useSettings(connector)
  const given = useMemo(
    () => ({ settings: connection.settings, secrets: connection.secret_settings }),
    [connection.settings, connection.secret_settings],
  )
  const settings = useSettingsForm(items, given, save.fault)
  if (items.length === 0) return null
  const hosts = hostsWith(connector.manifest, settings.current)
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        if (settings.validate()) {
          void save.run({ id: connection.id, settings: settings.changes(), locale: language })
        }
      }}
    >
      <Section title={t('settings')} description={t('settings.text')} framed>
        <Stack gap="lg">
          <SettingsFields settings={settings} />
          {hosts.length > 0 && (
            <Stack gap={6}>
              <Text size="sm" fw={500}>
                {t('hosts')}
              </Text>
              <HostList hosts={hosts} />
            </Stack>
          )}
          <ErrorAlert fault={isShownAtFields(save.fault) ? undefined : save.fault} />
          <Group>
            <Button type="submit" loading={save.running} disabled={!settings.isDirty}>
              {t('settings.save')}
            </Button>
          </Group>
        </Stack>
      </Section>
    </form>
  )
}

function RunSettings({ connection, connector }: PartProps) {
  const { rows: owner } = useOwner()
  const flows = useRead(flowsOfTeam, { owner })
  return (
    <Loaded of={flows}>
      {({ flows: rows }) => <RunForm connection={connection} connector={connector} flows={rows} />}
    </Loaded>
  )
}

function RunForm({ connection, connector, flows }: PartProps & { readonly flows: readonly Choice[] }) {
  const { t } = useText()
  const { kinds } = connector
  const form = useConnectionForm(
    initialValues(connection, { integration_id: connection.integration?.id ?? null }),
    kinds,
    false,
  )
  const save = useAction(setConnection, { form, success: t('settings.saved') })
  return (
    <form
      noValidate
      onSubmit={form.onSubmit((values) =>
        save.run({
          id: connection.id,
          set: {
            ...columnsOf(values, kinds),
            ...(kinds.includes('two-phase-producer') ? { pending_hours: Number(values.pending_hours) || 168 } : {}),
          },
        }),
      )}
    >
      <Stack gap="lg">
        <Section title={t('connection')} framed>
          <NameField form={form} />
        </Section>
        <ConnectionFields form={form} kinds={kinds} flows={flows} withPending />
        <ErrorAlert fault={save.fault} />
        <Group>
          <Button type="submit" loading={save.running} disabled={!form.isDirty()}>
            {t('settings.saveRun')}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

/** For viewers. */
function SettingsList({ connection, connector }: PartProps) {
  const { t } = useText()
  const items = useSettings(connector)
  const facts = items.map((item): Fact => {
    if (item.type === 'PASSWORD') {
      return [item.label, t(connection.secret_settings.includes(item.key) ? 'secret.set' : 'secret.unset')]
    }
    const value = connection.settings[item.key] ?? item.default
    if (typeof value === 'boolean') return [item.label, t(value ? 'yes' : 'no')]
    const shown = item.options?.find((option) => option.value === String(value))?.label ?? value
    return [item.label, shown === undefined || shown === '' ? '–' : String(shown)]
  })
  return (
    <Section title={t('settings')} framed>
      {facts.length === 0 ? <Text size="sm">{t('settings.none')}</Text> : <Facts facts={facts} />}
    </Section>
  )
}
