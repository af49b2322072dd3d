import { Select, Text, Textarea, TextInput } from '@mantine/core'
import { isNotEmpty, matches, useForm } from '@mantine/form'
import { useState } from 'react'
import { useAction, useRead } from '../../api/hooks.ts'
import { useTeam } from '../../app/context.tsx'
import { ConfirmDelete } from '../../kit/confirm-delete.tsx'
import { FormModal } from '../../kit/form-modal.tsx'
import { NameAndSlug } from '../../kit/name-and-slug.tsx'
import { slugPattern } from '../../kit/slug.ts'
import { useKitText } from '../../kit/text.ts'
import { addDestination } from '../flow/queries.ts'
import { createFlow } from '../flows/queries.ts'
import { flowsToAdd, type IntegrationFacts, updateIntegration } from './queries.ts'
import { useText } from './text.ts'

export interface IntegrationDialogProps {
  readonly integration: IntegrationFacts
  readonly onClose: () => void
}

export function EditDialog({ integration, onClose }: IntegrationDialogProps) {
  const { t } = useText()
  const { t: kit } = useKitText()
  const form = useForm({
    initialValues: { name: integration.name, description: integration.description ?? '' },
    validate: { name: isNotEmpty(kit('name.missing')) },
  })
  const update = useAction(updateIntegration, { form, success: t('saved') })
  return (
    <FormModal
      title={t('edit.title', { name: integration.name })}
      action={t('save')}
      running={update.running}
      fault={update.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ name, description }) => {
        const set = { name: name.trim(), description: description.trim() || null }
        if (await update.run({ id: integration.id, set })) onClose()
      })}
    >
      <TextInput label={t('name')} required autoComplete="off" data-autofocus {...form.getInputProps('name')} />
      <Textarea
        label={t('about')}
        description={t('about.hint')}
        autosize
        minRows={2}
        maxRows={6}
        {...form.getInputProps('description')}
      />
    </FormModal>
  )
}

/** Says what stops. It can be undone, so the name need not be typed. */
export function DisableDialog({ integration, onClose }: IntegrationDialogProps) {
  const { t } = useText()
  const update = useAction(updateIntegration, { success: t('disable.done', { name: integration.name }) })
  return (
    <ConfirmDelete
      title={t('disable.title', { name: integration.name })}
      action={t('disable')}
      running={update.running}
      fault={update.fault}
      onClose={onClose}
      onConfirm={async () => {
        if (await update.run({ id: integration.id, set: { status: 'disabled' } })) onClose()
      }}
    >
      {t('disable.text')}
    </ConfirmDelete>
  )
}

/** Chooses a flow whose sessions go to this integration; where there is none, makes the first. */
export function AddFlowDialog({ integration, onClose }: IntegrationDialogProps) {
  const { t } = useText()
  const { t: kit } = useKitText()
  const team = useTeam()
  const flows = useRead(flowsToAdd, { team: team.id, integration: integration.id })
  const isNew = flows.data?.flows.length === 0
  const [made, setMade] = useState<string>()
  const form = useForm({
    initialValues: { flow_id: '', name: '', slug: '' },
    validate: {
      flow_id: (id) => (isNew || id ? null : t('addFlow.missing')),
      name: (name) => (isNew && !name.trim() ? kit('name.missing') : null),
      slug: (slug) => (isNew ? matches(slugPattern, kit('slug.wrong'))(slug) : null),
    },
  })
  const create = useAction(createFlow, { form })
  const add = useAction(addDestination, { form, success: t('addFlow.done') })
  const taken = create.fault?.code === 'CONFLICT'
  return (
    <FormModal
      title={t('addFlow.title', { name: integration.name })}
      action={t('addFlow')}
      running={create.running || add.running}
      fault={(taken ? undefined : create.fault) ?? add.fault ?? flows.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ flow_id, name, slug }) => {
        let id: string | undefined = flow_id || made
        if (!id) {
          const done = await create.run({ object: { team_id: team.id, name: name.trim(), slug } })
          id = done?.insert_flows_one?.id
          if (!id) return
          // Should the second step fail, trying again must not make another one.
          setMade(id)
        }
        if (await add.run({ object: { flow_id: id, integration_id: integration.id, config: {} } })) onClose()
      })}
    >
      <Text size="sm">{t(isNew ? 'addFlow.new' : 'addFlow.text')}</Text>
      {isNew ? (
        <NameAndSlug
          form={form}
          nameLabel={t('addFlow.name')}
          nameHint={t('addFlow.nameHint')}
          placeholder={t('addFlow.example')}
          taken={taken}
        />
      ) : (
        <Select
          label={t('addFlow.flow')}
          placeholder={t('addFlow.choose')}
          data={(flows.data?.flows ?? []).map(({ id, name }) => ({ value: id, label: name }))}
          searchable
          required
          {...form.getInputProps('flow_id')}
        />
      )}
    </FormModal>
  )
}
