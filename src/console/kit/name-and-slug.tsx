import { TextInput } from '@mantine/core'
import type { UseFormReturnType } from '@mantine/form'
import { slugOf } from './slug.ts'
import { useKitText } from './text.ts'

export interface NameAndSlugProps {
  // biome-ignore lint/suspicious/noExplicitAny: forms of any values that have these two.
  readonly form: UseFormReturnType<any>
  readonly nameLabel: string
  readonly nameHint?: string
  readonly placeholder?: string
  /** Somebody has this short name already: said at its field. */
  readonly taken: boolean
}

/** A name, and the short name that follows it until a person writes one of their own. */
export function NameAndSlug({ form, nameLabel, nameHint, placeholder, taken }: NameAndSlugProps) {
  const { t } = useKitText()
  const slug = form.getInputProps('slug')
  return (
    <>
      <TextInput
        label={nameLabel}
        description={nameHint}
        placeholder={placeholder}
        required
        autoComplete="off"
        data-autofocus
        {...form.getInputProps('name')}
        onChange={(event) => {
          const name = event.currentTarget.value
          if (!form.isTouched('slug')) form.setFieldValue('slug', slugOf(name))
          form.setFieldValue('name', name)
        }}
      />
      <TextInput
        label={t('slug')}
        description={t('slug.hint')}
        required
        spellCheck={false}
        autoComplete="off"
        {...slug}
        error={slug.error ?? (taken && t('slug.taken'))}
      />
    </>
  )
}
