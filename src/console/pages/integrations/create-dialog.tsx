import { Textarea } from '@mantine/core'
import { isNotEmpty, matches, useForm } from '@mantine/form'
import { useNavigate } from 'react-router'
import { useAction } from '../../api/hooks.ts'
import { useOwner } from '../../app/context.tsx'
import { FormModal } from '../../kit/form-modal.tsx'
import { NameAndSlug } from '../../kit/name-and-slug.tsx'
import { slugPattern } from '../../kit/slug.ts'
import { useKitText } from '../../kit/text.ts'
import { createIntegration } from './queries.ts'
import { useText } from './text.ts'

/** Makes an integration, and leads to its page, which says what it needs. */
export function CreateDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useText()
  const { t: kit } = useKitText()
  const { team } = useOwner()
  const navigate = useNavigate()
  const form = useForm({
    initialValues: { name: '', slug: '', description: '' },
    validate: { name: isNotEmpty(kit('name.missing')), slug: matches(slugPattern, kit('slug.wrong')) },
  })
  const create = useAction(createIntegration, { form, success: t('created') })
  const taken = create.fault?.code === 'CONFLICT'
  return (
    <FormModal
      title={t('create')}
      action={t('create')}
      running={create.running}
      fault={taken ? undefined : create.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ name, slug, description }) => {
        const done = await create.run({
          object: {
            ...(team ? { team_id: team.id } : {}),
            name: name.trim(),
            slug,
            ...(description.trim() ? { description: description.trim() } : {}),
          },
        })
        if (done?.insert_integrations_one) navigate(`/integrations/${done.insert_integrations_one.id}`)
      })}
    >
      <NameAndSlug
        form={form}
        nameLabel={t('name')}
        nameHint={t('name.hint')}
        placeholder={t('name.example')}
        taken={taken}
      />
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
