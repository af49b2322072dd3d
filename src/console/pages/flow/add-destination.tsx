import { Anchor, Badge, Group, Radio, SegmentedControl, Stack, Text } from '@mantine/core'
import { matches, useForm } from '@mantine/form'
import { useState } from 'react'
import { Link } from 'react-router'
import { useAction, useRead } from '../../api/hooks.ts'
import { useTeam } from '../../app/context.tsx'
import { Said } from '../../kit/fault-text.tsx'
import { FormModal } from '../../kit/form-modal.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { NameAndSlug } from '../../kit/name-and-slug.tsx'
import { slugPattern } from '../../kit/slug.ts'
import { useKitText } from '../../kit/text.ts'
import { configOf, type VariableRow } from '../../kit/variables.ts'
import { VariablesInput } from '../../kit/variables-input.tsx'
import { createIntegration } from '../integrations/queries.ts'
import { type Available, addDestination, availableFor, type FlowFacts } from './queries.ts'
import { useText } from './text.ts'

export interface AddDestinationProps {
  readonly flow: FlowFacts
  readonly onClose: () => void
}

/** Chooses who else gets the sessions of a flow: an integration that is there, or a new one. */
export function AddDestination({ flow, onClose }: AddDestinationProps) {
  const available = useRead(availableFor, { flow: flow.id })
  const { t } = useText()
  const all = available.data?.available_integrations
  if (all) return <Form flow={flow} all={all} onClose={onClose} />
  return (
    <FormModal
      title={t('add.title', { flow: flow.name })}
      action={t('add')}
      running={false}
      onSubmit={(event) => event.preventDefault()}
      onClose={onClose}
    >
      <Loaded of={available}>{() => null}</Loaded>
    </FormModal>
  )
}

function Form({ flow, all, onClose }: AddDestinationProps & { readonly all: readonly Available[] }) {
  const { t } = useText()
  const { t: kit } = useKitText()
  const team = useTeam()
  const integrations = all.filter(({ kind }) => kind === 'integration')
  const connectors = all.filter(({ kind, is_destination }) => kind === 'connector' && !is_destination)
  const open = integrations.filter(({ available, is_destination }) => available && !is_destination)
  const [made, setMade] = useState<string>()
  const form = useForm({
    initialValues: {
      how: open.length > 0 ? 'there' : 'new',
      integration_id: open.length === 1 ? (open[0]?.id ?? '') : '',
      name: '',
      slug: '',
      config: [] as VariableRow[],
    },
    validate: {
      integration_id: (id, { how }) => (how === 'there' && !id ? t('add.missing') : null),
      name: (name, { how }) => (how === 'new' && !name.trim() ? kit('name.missing') : null),
      slug: (slug, { how }) => (how === 'new' ? matches(slugPattern, kit('slug.wrong'))(slug) : null),
    },
  })
  const { how } = form.getValues()
  const create = useAction(createIntegration, { form })
  const add = useAction(addDestination, { form, success: t('added') })
  const taken = create.fault?.code === 'CONFLICT'
  const submit = form.onSubmit(async ({ how, integration_id, name, slug, config }) => {
    let id = how === 'there' ? integration_id : made
    if (!id) {
      const done = await create.run({ object: { team_id: team.id, name: name.trim(), slug } })
      id = done?.insert_integrations_one?.id
      if (!id) return
      // Should the second step fail, trying again must not make another one.
      setMade(id)
    }
    if (await add.run({ object: { flow_id: flow.id, integration_id: id, config: configOf(config) } })) onClose()
  })
  return (
    <FormModal
      title={t('add.title', { flow: flow.name })}
      action={t('add')}
      running={create.running || add.running}
      fault={(taken ? undefined : create.fault) ?? add.fault}
      onClose={onClose}
      onSubmit={submit}
    >
      <SegmentedControl
        fullWidth
        aria-label={t('add.how')}
        data={[
          { value: 'there', label: t('add.there'), disabled: integrations.length === 0 },
          { value: 'new', label: t('add.new') },
        ]}
        {...form.getInputProps('how')}
      />
      {how === 'there' ? (
        <Choices integrations={integrations} {...form.getInputProps('integration_id')} />
      ) : (
        <NameAndSlug
          form={form}
          nameLabel={t('add.name')}
          nameHint={t('add.nameHint')}
          placeholder={t('add.nameExample')}
          taken={taken}
        />
      )}
      <VariablesInput
        label={t('variables.optional')}
        description={t('variables.hint')}
        {...form.getInputProps('config')}
      />
      {connectors.length > 0 && <Connectors connectors={connectors} />}
    </FormModal>
  )
}

interface ChoicesProps {
  readonly integrations: readonly Available[]
  readonly value?: string
  readonly error?: string
  readonly onChange?: (value: string) => void
}

function Choices({ integrations, ...input }: ChoicesProps) {
  const { t } = useText()
  return (
    <Radio.Group label={t('integration')} required {...input}>
      <Stack gap="xs" mt={6}>
        {integrations.map((one) => {
          const disabled = !one.available || one.is_destination
          return (
            <Radio.Card key={one.id} value={one.id} disabled={disabled} p="sm">
              <Group wrap="nowrap" align="flex-start" gap="sm">
                <Radio.Indicator disabled={disabled} />
                <Stack gap={2} miw={0}>
                  <Group gap="2px 8px">
                    <Text size="sm" fw={600} c={disabled ? 'dimmed' : undefined} style={{ overflowWrap: 'anywhere' }}>
                      {one.name}
                    </Text>
                    {one.is_platform && <Badge variant="default">{t('platform')}</Badge>}
                    {one.is_destination && <Badge variant="default">{t('add.already')}</Badge>}
                  </Group>
                  {one.description && (
                    <Text size="sm" c="dimmed">
                      {one.description}
                    </Text>
                  )}
                  {one.misfits.length > 0 && (
                    <Text size="sm" component="div">
                      {t(one.available ? 'add.partly' : 'add.not')} <Misfits of={one} />
                    </Text>
                  )}
                </Stack>
              </Group>
            </Radio.Card>
          )
        })}
      </Stack>
    </Radio.Group>
  )
}

/** Approved connectors: one becomes a destination by being connected for an integration. */
function Connectors({ connectors }: { readonly connectors: readonly Available[] }) {
  const { t } = useText()
  return (
    <Stack gap={6}>
      <Text size="sm" fw={500}>
        {t('connectors')}
      </Text>
      <Text size="xs" c="dimmed">
        {t('connectors.text')}
      </Text>
      <Stack gap={6} component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
        {connectors.map((one) => {
          const { id, name, available, misfits } = one
          return (
            <li key={id}>
              {available ? (
                <Anchor component={Link} to={`/connections/new?connector=${id}`} size="sm">
                  {t('connectors.connect', { name })}
                </Anchor>
              ) : (
                <Text size="sm" component="span">
                  {name}
                </Text>
              )}
              {misfits.length > 0 && (
                <Text size="xs" c="dimmed">
                  <Misfits of={one} />
                </Text>
              )}
            </li>
          )
        })}
      </Stack>
    </Stack>
  )
}

const misfits = ['integration_disabled', 'kind_not_taken', 'schema_not_taken'] as const
const mostSchemas = 3

/** Why it does not fit, in words of the person's language; what has none yet in the API's. */
function Misfits({ of: { misfits: found, reason } }: { readonly of: Available }) {
  const { t, language } = useText()
  const listOf = (names: readonly string[]) => new Intl.ListFormat(language, { type: 'disjunction' }).format(names)
  const kindOf = (kind: string) => (kind === 'application' || kind === 'booking' ? t(`kind.${kind}`) : kind)
  const told = found.map(({ code, connector, takes, has }) => {
    const known = misfits.find((one) => one === code)
    if (!known) return null
    const isKind = known === 'kind_not_taken'
    const shown = isKind
      ? takes.map(kindOf)
      : [...takes.slice(0, mostSchemas), ...(takes.length > mostSchemas ? ['…'] : [])]
    const values = { takes: listOf(shown), has: listOf(isKind ? has.map(kindOf) : has), connector: connector ?? '' }
    const why = t(known === 'schema_not_taken' && has.length === 0 ? 'misfit.no_schema' : `misfit.${known}`, values)
    return connector === null ? why : `${t('misfit.connector', { connector })} ${why}`
  })
  return told.includes(null) ? <Said>{reason ?? ''}</Said> : told.join(' ')
}
