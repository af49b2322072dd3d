import {
  Accordion,
  Checkbox,
  MultiSelect,
  NumberInput,
  Select,
  SimpleGrid,
  Stack,
  Text,
  TextInput,
} from '@mantine/core'
import { type UseFormReturnType, useForm } from '@mantine/form'
import { useOwner } from '../../app/context.tsx'
import { Section } from '../../kit/section.tsx'
import { VariablesInput } from '../../kit/variables-input.tsx'
import { PatternField } from '../webhook-new/pattern/pattern-field.tsx'
import { type ConnectionValues, sessionEvents, wrongIn } from './connection-values.ts'
import { fetches, hearsEvents, makesSessions, runsByClock } from './manifest.ts'
import { ScheduleFields } from './schedule-field.tsx'
import { usePartsText } from './text.ts'

export type ConnectionForm = UseFormReturnType<ConnectionValues>

export function useConnectionForm(initial: ConnectionValues, kinds: readonly string[], isNew: boolean): ConnectionForm {
  const { t } = usePartsText()
  return useForm<ConnectionValues>({
    mode: 'controlled',
    initialValues: initial,
    validate: (values) =>
      Object.fromEntries(
        Object.entries(wrongIn(values, kinds, isNew)).map(([field, wrong]) => [field, t(`wrong.${wrong}`)]),
      ),
  })
}

export interface Choice {
  readonly id: string
  readonly name: string
  readonly slug: string
}

export interface ConnectionFieldsProps {
  readonly form: ConnectionForm
  readonly kinds: readonly string[]
  readonly flows: readonly Choice[]
  /** How long payloads are waited for can be set of a connection that is there. @default false */
  readonly withPending?: boolean
}

/** Fields for what its kinds do: sessions that it makes, when it runs, what it hears, and how it is run. */
export function ConnectionFields({ form, kinds, flows, withPending = false }: ConnectionFieldsProps) {
  const { t } = usePartsText()
  return (
    <>
      {(makesSessions(kinds) || runsByClock(kinds)) && (
        <Section title={t(makesSessions(kinds) ? 'produces' : 'runs')} framed>
          <Stack gap="md">
            {makesSessions(kinds) && (
              <Select
                label={t('flow')}
                description={flows.length === 0 ? t('flow.none') : t('flow.hint')}
                placeholder={t('flow.choose')}
                data={flows.map(({ id, name }) => ({ value: id, label: name }))}
                searchable
                required={fetches(kinds)}
                clearable={!fetches(kinds)}
                clearButtonProps={{ 'aria-label': t('clear', { what: t('flow') }) }}
                maw={560}
                {...form.getInputProps('flow_id')}
              />
            )}
            {runsByClock(kinds) && (
              <ScheduleFields schedule={form.getInputProps('schedule')} timeZone={form.getInputProps('time_zone')} />
            )}
            {withPending && kinds.includes('two-phase-producer') && (
              <NumberInput
                label={t('pending')}
                description={t('pending.hint')}
                suffix={t('hours.suffix')}
                min={1}
                max={8760}
                maw={240}
                {...form.getInputProps('pending_hours')}
              />
            )}
          </Stack>
        </Section>
      )}
      {hearsEvents(kinds) && <Hears form={form} kinds={kinds} flows={flows} />}
      <Advanced form={form} />
    </>
  )
}

function Hears({ form, kinds, flows }: Omit<ConnectionFieldsProps, 'withPending'>) {
  const { t } = usePartsText()
  const { slugs } = useOwner()
  const consumes = kinds.includes('consumer')
  return (
    <Section title={t('hears')} description={t(consumes ? 'hears.consumer' : 'hears.modifier')} framed>
      <Stack gap="md">
        {consumes && (
          <MultiSelect
            label={t('events')}
            data={sessionEvents.map((type) => ({ value: type, label: t(`event.${type}`) }))}
            required
            maw={560}
            clearable={false}
            {...form.getInputProps('events')}
            value={[...form.values.events]}
          />
        )}
        <PatternField
          value={form.values.pattern}
          onChange={(pattern) => form.setFieldValue('pattern', pattern)}
          error={form.errors.pattern}
          flows={flows}
          variables={[]}
          teams={slugs}
        />
        {kinds.includes('modifier') && (
          <NumberInput
            label={t('order')}
            description={t('order.hint')}
            min={-1000}
            max={1000}
            allowDecimal={false}
            maw={240}
            {...form.getInputProps('run_order')}
          />
        )}
      </Stack>
    </Section>
  )
}

/** What seldom needs another value than it has. */
function Advanced({ form }: { readonly form: ConnectionForm }) {
  const { t } = usePartsText()
  return (
    <Accordion variant="contained" bg="var(--sluice-surface)" keepMounted={false}>
      <Accordion.Item value="advanced">
        <Accordion.Control>
          <Text fw={600} size="sm" component="span">
            {t('advanced')}
          </Text>
        </Accordion.Control>
        <Accordion.Panel>
          <Stack gap="md">
            <SimpleGrid cols={{ base: 1, sm: 3 }}>
              <NumberInput
                label={t('timeout')}
                description={t('timeout.hint')}
                suffix={t('seconds.suffix')}
                min={1}
                max={300}
                {...form.getInputProps('timeout_ms')}
                value={Number(form.values.timeout_ms) / 1000}
                onChange={(value) => form.setFieldValue('timeout_ms', value === '' ? '' : Number(value) * 1000)}
              />
              <NumberInput
                label={t('concurrency')}
                description={t('concurrency.hint')}
                min={1}
                max={64}
                allowDecimal={false}
                {...form.getInputProps('concurrency')}
              />
              <NumberInput
                label={t('rate')}
                description={t('rate.hint')}
                placeholder={t('rate.unlimited')}
                min={0}
                decimalScale={2}
                {...form.getInputProps('rate_per_second')}
              />
            </SimpleGrid>
            <Checkbox
              label={t('ordered')}
              description={t('ordered.hint')}
              {...form.getInputProps('ordered', { type: 'checkbox' })}
            />
            <VariablesInput
              label={t('config')}
              description={t('config.hint')}
              value={form.values.config}
              onChange={(rows) => form.setFieldValue('config', rows)}
              error={form.errors.config}
            />
          </Stack>
        </Accordion.Panel>
      </Accordion.Item>
    </Accordion>
  )
}

export function NameField({ form }: { readonly form: ConnectionForm }) {
  const { t } = usePartsText()
  return (
    <TextInput
      label={t('name')}
      description={t('name.hint')}
      required
      maxLength={200}
      maw={560}
      autoComplete="off"
      {...form.getInputProps('name')}
    />
  )
}
