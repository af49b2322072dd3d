import { isNotEmpty, matches, useForm } from '@mantine/form'
import { useNavigate } from 'react-router'
import { useAction } from '../../api/hooks.ts'
import { useTeam } from '../../app/context.tsx'
import { FormModal } from '../../kit/form-modal.tsx'
import { NameAndSlug } from '../../kit/name-and-slug.tsx'
import { slugPattern } from '../../kit/slug.ts'
import { useKitText } from '../../kit/text.ts'
import { createFlow } from './queries.ts'
import { useText } from './text.ts'

/** Makes a flow, and leads to its page: its destinations are what is next. */
export function CreateDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useText()
  const { t: kit } = useKitText()
  const team = useTeam()
  const navigate = useNavigate()
  const form = useForm({
    initialValues: { name: '', slug: '' },
    validate: { name: isNotEmpty(kit('name.missing')), slug: matches(slugPattern, kit('slug.wrong')) },
    transformValues: ({ name, slug }) => ({ name: name.trim(), slug }),
  })
  const create = useAction(createFlow, { form, success: t('created') })
  const taken = create.fault?.code === 'CONFLICT'
  return (
    <FormModal
      title={t('create')}
      action={t('create')}
      running={create.running}
      fault={taken ? undefined : create.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async (values) => {
        const done = await create.run({ object: { team_id: team.id, ...values } })
        if (done?.insert_flows_one) navigate(`/flows/${done.insert_flows_one.id}`)
      })}
    >
      <NameAndSlug
        form={form}
        nameLabel={t('name')}
        nameHint={t('name.hint')}
        placeholder={t('name.example')}
        taken={taken}
      />
    </FormModal>
  )
}
