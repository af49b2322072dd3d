/** A new team, by an admin. */
import { Button, TextInput } from '@mantine/core'
import { isNotEmpty, matches, useForm } from '@mantine/form'
import { useDisclosure } from '@mantine/hooks'
import { useAction } from '../api/hooks.ts'
import { FormModal } from '../kit/form-modal.tsx'
import { useSignIn, useTeamChoice } from './context.tsx'
import { makeTeam } from './queries.ts'
import { useAppText } from './text.ts'

/** A button with its dialog; the new team is chosen. */
export function MakeTeam() {
  const { t } = useAppText()
  const [opened, { open, close }] = useDisclosure()
  return (
    <>
      <Button onClick={open}>{t('noTeam.create')}</Button>
      {opened && <MakeTeamDialog onClose={close} />}
    </>
  )
}

export function MakeTeamDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useAppText()
  const signIn = useSignIn()
  const { choose } = useTeamChoice()
  const form = useForm({
    initialValues: { name: '', slug: '' },
    validate: {
      name: isNotEmpty(t('makeTeam.nameMissing')),
      slug: matches(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, t('makeTeam.slugWrong')),
    },
  })
  const make = useAction(makeTeam, { form, success: t('makeTeam.made') })
  return (
    <FormModal
      title={t('noTeam.create')}
      action={t('noTeam.create')}
      running={make.running}
      fault={make.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async (object) => {
        const made = await make.run({ object })
        if (!made?.insert_teams_one) return
        choose(made.insert_teams_one.id)
        await signIn.reload()
        onClose()
      })}
    >
      <TextInput
        label={t('makeTeam.name')}
        required
        data-autofocus
        {...form.getInputProps('name')}
        onChange={(event) => {
          const name = event.currentTarget.value
          if (!form.isTouched('slug')) form.setFieldValue('slug', slugOf(name))
          form.setFieldValue('name', name)
        }}
      />
      <TextInput
        label={t('makeTeam.slug')}
        description={t('makeTeam.slugHint')}
        required
        spellCheck={false}
        {...form.getInputProps('slug')}
      />
    </FormModal>
  )
}

/** "St Albans" becomes "st-albans". */
function slugOf(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9\s-]/g, '')
    .trim()
    .replaceAll(/[\s-]+/g, '-')
}
