import {
  Box,
  Button,
  Checkbox,
  Code,
  Grid,
  Group,
  Input,
  JsonInput,
  MultiSelect,
  NumberInput,
  Paper,
  PasswordInput,
  Select,
  SimpleGrid,
  Stack,
  Switch,
  TextInput,
} from '@mantine/core'
import { schemaResolver, useForm } from '@mantine/form'
import { useMemo } from 'react'
import { Link } from 'react-router'
import { type Action, type FormLike, useAction } from '../../api/hooks.ts'
import { useOwner } from '../../app/context.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { Section } from '../../kit/section.tsx'
import { ExplainForTeam } from './explain-for-team.tsx'
import { ExplainPanel } from './explain-panel.tsx'
import {
  draftOf,
  headersOf,
  operationalEvents,
  schemaOf,
  sessionEvents,
  settingsOf,
  valuesOf,
  type WebhookValues,
} from './form.ts'
import { HeaderRows } from './header-rows.tsx'
import { PatternField } from './pattern/pattern-field.tsx'
import {
  createWebhook,
  type FlowChoice,
  type IntegrationChoice,
  type StoredWebhook,
  setWebhookHeaders,
  updateWebhook,
  type WebhookSettings,
} from './queries.ts'
import { useText } from './text.ts'

export interface WebhookFormProps {
  /** The one that is changed; null makes a new one. */
  readonly webhook: StoredWebhook | null
  readonly integrations: readonly IntegrationChoice[]
  readonly flows: readonly FlowChoice[]
  /** Chosen beforehand. */
  readonly integration?: string | null
  /** Where the person came from. */
  readonly back: string
  /** `secret` is that of a new one, which has to be shown. */
  readonly onDone: (made: { readonly id: string; readonly name: string; readonly secret: string | null }) => void
}

/** A webhook, new or changed, with what its pattern does beside it. */
export function WebhookForm({ webhook, integrations, flows, integration = null, back, onDone }: WebhookFormProps) {
  const { t } = useText()
  const { team, slugs } = useOwner()
  const schema = useMemo(() => schemaOf(t), [t])
  const only = integrations.length === 1 ? (integrations[0]?.id ?? null) : null
  const form = useForm<WebhookValues>({
    initialValues: valuesOf(webhook, integration ?? only),
    validate: schemaResolver(schema, { sync: true }),
  })
  const { save, running, fault } = useSave(webhook, form)
  const values = form.getValues()
  return (
    <Grid gap="lg">
      <Grid.Col span={{ base: 12, md: 7 }}>
        <form
          noValidate
          onSubmit={form.onSubmit(
            async (given) => {
              const done = await save(given)
              if (done) onDone(done)
            },
            (errors) => {
              const [first] = Object.keys(errors)
              if (first) form.getInputNode(first)?.focus()
            },
          )}
        >
          <Stack gap="lg">
            <Section title={t('where')} framed>
              <Stack>
                <Select
                  label={t('integration')}
                  description={t(webhook ? 'integration.fixed' : 'integration.hint')}
                  placeholder={t('integration.choose')}
                  data={integrations.map(({ id, name }) => ({ value: id, label: name }))}
                  searchable
                  allowDeselect={false}
                  required
                  disabled={webhook !== null}
                  {...form.getInputProps('integration_id')}
                />
                <TextInput
                  label={t('name')}
                  description={t('name.hint')}
                  required
                  autoComplete="off"
                  {...form.getInputProps('name')}
                />
                <TextInput
                  label={t('url')}
                  description={t('url.hint')}
                  placeholder="https://example.com/hooks/sluice"
                  type="url"
                  inputMode="url"
                  required
                  autoComplete="off"
                  spellCheck={false}
                  {...form.getInputProps('url')}
                />
              </Stack>
            </Section>

            <Section title={t('what')} framed>
              <Stack>
                <MultiSelect
                  label={t('events')}
                  description={t('events.hint')}
                  required
                  data={[
                    {
                      group: t('events.sessions'),
                      items: sessionEvents.map((type) => ({ value: type, label: t(`event.${type}`) })),
                    },
                    {
                      group: t('events.operational'),
                      items: operationalEvents.map((type) => ({ value: type, label: t(`event.${type}`) })),
                    },
                  ]}
                  {...form.getInputProps('events')}
                />
                <PatternField
                  value={values.pattern}
                  onChange={(pattern) => form.setFieldValue('pattern', pattern)}
                  error={form.errors.pattern}
                  flows={flows}
                  variables={variablesOf(values)}
                  teams={slugs}
                />
              </Stack>
            </Section>

            <Section title={t('with')} framed>
              <Stack>
                <JsonInput
                  label={t('config')}
                  description={t('config.hint')}
                  placeholder='{ "office": "north" }'
                  autosize
                  minRows={2}
                  maxRows={12}
                  formatOnBlur
                  spellCheck={false}
                  styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
                  {...form.getInputProps('fixed_config')}
                />
                <HeaderRows
                  label={t('headers')}
                  description={t('headers.hint')}
                  rows={values.headers}
                  onChange={(rows) => form.setFieldValue('headers', rows)}
                  error={form.errors.headers}
                />
                {values.secret_headers ? (
                  <HeaderRows
                    label={t('secretHeaders')}
                    description={t('secretHeaders.hint')}
                    rows={values.secret_headers}
                    onChange={(rows) => form.setFieldValue('secret_headers', rows)}
                    error={form.errors.secret_headers}
                    secret
                  />
                ) : (
                  <Input.Wrapper
                    label={t('secretHeaders')}
                    description={t('secretHeaders.kept')}
                    labelElement="div"
                    inputWrapperOrder={['label', 'description', 'input', 'error']}
                  >
                    <Group gap="xs" mt={6}>
                      {webhook?.secret_header_names.map((name) => (
                        <Code key={name}>{name}</Code>
                      ))}
                      <Button
                        size="compact-sm"
                        variant="light"
                        onClick={() => form.setFieldValue('secret_headers', [])}
                      >
                        {t('secretHeaders.replace')}
                      </Button>
                    </Group>
                  </Input.Wrapper>
                )}
              </Stack>
            </Section>

            <Section title={t('how')} description={t('how.text')} framed>
              <Stack>
                <Switch
                  label={t('ordered')}
                  description={t('ordered.hint')}
                  {...form.getInputProps('ordered', { type: 'checkbox' })}
                />
                <SimpleGrid cols={{ base: 1, xs: 3 }}>
                  <NumberInput
                    label={t('rate')}
                    description={t('rate.hint')}
                    placeholder={t('rate.none')}
                    min={0}
                    max={1000}
                    hideControls
                    {...form.getInputProps('rate_per_second')}
                  />
                  <NumberInput
                    label={t('concurrency')}
                    description={t('concurrency.hint')}
                    min={1}
                    max={64}
                    allowDecimal={false}
                    hideControls
                    disabled={values.ordered}
                    {...form.getInputProps('concurrency')}
                  />
                  <NumberInput
                    label={t('timeout')}
                    description={t('timeout.hint')}
                    min={0}
                    max={30}
                    decimalScale={3}
                    hideControls
                    {...form.getInputProps('timeout_ms')}
                  />
                </SimpleGrid>
                <Checkbox.Group
                  label={t('signatures')}
                  description={t('signatures.hint')}
                  {...form.getInputProps('signatures')}
                >
                  <Group mt={6}>
                    <Checkbox value="v1" label={t('signatures.v1')} />
                    <Checkbox value="v1a" label={t('signatures.v1a')} />
                  </Group>
                </Checkbox.Group>
                {!webhook && (
                  <PasswordInput
                    label={t('secret')}
                    description={t('secret.hint')}
                    placeholder="whsec_…"
                    autoComplete="off"
                    visibilityToggleButtonProps={{ 'aria-label': t('secret.reveal'), tabIndex: 0 }}
                    {...form.getInputProps('secret')}
                  />
                )}
              </Stack>
            </Section>

            <ErrorAlert fault={fault} />
            <Group justify="flex-end">
              <Button component={Link} to={back} variant="default">
                {t('cancel')}
              </Button>
              <Button type="submit" loading={running}>
                {t(webhook ? 'save' : 'create')}
              </Button>
            </Group>
          </Stack>
        </form>
      </Grid.Col>
      <Grid.Col span={{ base: 12, md: 5 }}>
        <Box pos="sticky" top={76}>
          <Paper
            withBorder
            p={{ base: 'md', sm: 'lg' }}
            bg="var(--sluice-surface)"
            mah={{ md: 'calc(100vh - 96px)' }}
            style={{ overflowY: 'auto' }}
          >
            {team ? (
              <ExplainPanel draft={draftOf(values, webhook)} team={team} flows={flows} />
            ) : (
              <ExplainForTeam draft={draftOf(values, webhook)} />
            )}
          </Paper>
        </Box>
      </Grid.Col>
    </Grid>
  )
}

/** Variables that the webhook's own texts speak of, to be offered. */
function variablesOf({ fixed_config }: WebhookValues): readonly string[] {
  try {
    return Object.keys(JSON.parse(fixed_config))
  } catch {
    return []
  }
}

function useSave(webhook: StoredWebhook | null, form: FormLike) {
  const { t } = useText()
  const options = { form, fields: { config: 'fixed_config', 'object.config': 'fixed_config' } }
  const create = useAction(createWebhook, options)
  const update = useAction(updateWebhook, { ...options, success: t('saved') })
  const setHeaders = useAction(setWebhookHeaders, options)
  const all: readonly Action<never, never>[] = [create, update, setHeaders] as never

  const save = async (values: WebhookValues) => {
    const settings = settingsOf(values)
    const secretHeaders = values.secret_headers && headersOf(values.secret_headers)
    if (!webhook) {
      const done = await create.run({
        object: {
          ...settings,
          integration_id: values.integration_id ?? '',
          ...(secretHeaders ? { secret_headers: secretHeaders } : {}),
          ...(values.secret ? { secret: values.secret.trim() } : {}),
        },
      })
      return done && { ...done.create_webhook, name: settings.name }
    }
    if (secretHeaders) {
      const { headers } = settings
      if (!(await setHeaders.run({ id: webhook.id, headers, secret: secretHeaders }))) return null
    }
    // What somebody else changes meanwhile stays as they want it, where this person has not touched it.
    const set = Object.fromEntries(
      Object.entries(settings).filter(
        ([name, value]) =>
          !(secretHeaders && name === 'headers') &&
          JSON.stringify(value) !== JSON.stringify(webhook[name as keyof WebhookSettings]),
      ),
    )
    const done = await update.run({ id: webhook.id, set })
    return done && { id: webhook.id, name: settings.name, secret: null }
  }
  return {
    save,
    running: all.some(({ running }) => running),
    fault: all.find(({ fault }) => fault)?.fault,
  }
}
