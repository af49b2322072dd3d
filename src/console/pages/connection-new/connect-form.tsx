import { Anchor, Button, Group, Paper, Select, Stack } from '@mantine/core'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { useAction, useRead } from '../../api/hooks.ts'
import { useOwner } from '../../app/context.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { Section } from '../../kit/section.tsx'
import { ConnectionFields, NameField, useConnectionForm } from '../connector-parts/connection-fields.tsx'
import { columnsOf, initialValues } from '../connector-parts/connection-values.ts'
import { HostList } from '../connector-parts/hosts.tsx'
import { type ConnectorRow, hostsWith, titleOf } from '../connector-parts/manifest.ts'
import { PermissionList } from '../connector-parts/permissions.tsx'
import { Presentation } from '../connector-parts/presentation.tsx'
import { isShownAtFields, SettingsFields, useSettingsForm } from '../connector-parts/settings-form.tsx'
import { nothingGiven } from '../connector-parts/settings-values.ts'
import { useSettings } from '../connector-parts/use-settings.ts'
import { choicesForConnection, connect } from './queries.ts'
import { useText } from './text.ts'

type Choices = NonNullable<ReturnType<typeof useRead<{ integrations: Choice[]; flows: Choice[] }, object>>['data']>
interface Choice {
  readonly id: string
  readonly name: string
  readonly slug: string
}

export function ConnectPage({ connector }: { readonly connector: ConnectorRow }) {
  const { rows: owner } = useOwner()
  const choices = useRead(choicesForConnection, { owner })
  return <Loaded of={choices}>{(data) => <ConnectForm connector={connector} choices={data} />}</Loaded>
}

interface ConnectFormProps {
  readonly connector: ConnectorRow
  readonly choices: Choices
}

/** A form made from the manifest: what it is told, what it may call with that, and when it runs. */
function ConnectForm({ connector, choices }: ConnectFormProps) {
  const { t, language } = useText()
  const navigate = useNavigate()
  const [query] = useSearchParams()
  const { kinds, manifest } = connector
  const wanted = query.get('integration')
  const only = choices.integrations.length === 1 ? choices.integrations[0]?.id : undefined
  const form = useConnectionForm(
    initialValues(undefined, {
      name: titleOf(connector, language).name,
      integration_id: choices.integrations.find(({ id }) => id === wanted)?.id ?? only ?? null,
    }),
    kinds,
    true,
  )
  const action = useAction(connect, { form, success: t('done') })
  const settings = useSettingsForm(useSettings(connector), nothingGiven, action.fault)
  const submit = async () => {
    // Both, so that everything that is wrong is marked at once.
    const areSettingsRight = settings.validate()
    if (form.validate().hasErrors || !areSettingsRight) return focusFirstFault()
    const done = await action.run({
      object: {
        connector_id: connector.id,
        integration_id: form.values.integration_id,
        settings: settings.changes(),
        locale: language,
        ...columnsOf(form.values, kinds),
      },
    })
    if (done) void navigate(`/connections/${done.connect.id}`)
  }
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      <Stack gap="lg" maw={880}>
        <Paper withBorder p={{ base: 'md', sm: 'lg' }} bg="var(--sluice-surface)">
          <Stack gap="md">
            <Presentation connector={connector} heading={2} linked />
            <PermissionList connector={connector} />
          </Stack>
        </Paper>
        <Section title={t('connection')} framed>
          <Stack gap="md">
            <Select
              label={t('integration')}
              description={
                choices.integrations.length === 0 ? (
                  <>
                    {t('integration.none')}{' '}
                    <Anchor component={Link} to="/integrations" inherit underline="always">
                      {t('integration.add')}
                    </Anchor>
                  </>
                ) : (
                  t('integration.hint')
                )
              }
              placeholder={t('integration.choose')}
              data={choices.integrations.map(({ id, name }) => ({ value: id, label: name }))}
              searchable
              required
              maw={560}
              // Where there is only one it is chosen already: another click must not take it away.
              allowDeselect={false}
              {...form.getInputProps('integration_id')}
            />
            <NameField form={form} />
          </Stack>
        </Section>
        {settings.items.length > 0 && (
          <Section title={t('settings')} description={t('settings.text')} framed>
            <SettingsFields settings={settings} />
          </Section>
        )}
        <ConnectionFields form={form} kinds={kinds} flows={choices.flows} />
        <Section title={t('hosts')} description={t('hosts.text')} framed>
          <HostList hosts={hostsWith(manifest, settings.current)} />
        </Section>
        <ErrorAlert fault={isShownAtFields(action.fault) ? undefined : action.fault} />
        <Group>
          <Button type="submit" loading={action.running}>
            {t('save')}
          </Button>
          <Button component={Link} to={`/connectors/${connector.id}`} variant="default">
            {t('cancel')}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

/** The first field that is wrong takes the focus, once it is marked. */
function focusFirstFault(): void {
  requestAnimationFrame(() => {
    document.querySelector<HTMLElement>('#main [aria-invalid="true"]')?.focus()
  })
}
