import { Autocomplete, FileInput, Group, JsonInput, Text, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconFileUpload } from '@tabler/icons-react'
import { useState } from 'react'
import { useAction } from '../../api/hooks.ts'
import { useTeam } from '../../app/context.tsx'
import { FormModal } from '../../kit/form-modal.tsx'
import type { FlowDialogProps } from './edit-dialog.tsx'
import { objectOf } from './json-field.ts'
import { type StoredSchema, storeSchema, updateFlow } from './queries.ts'
import { useText } from './text.ts'

export interface SchemaDialogProps extends FlowDialogProps {
  readonly stored: readonly StoredSchema[]
}

/** Which schema sessions of the flow must follow; empty for none. */
export function ChooseSchemaDialog({ flow, stored, onClose }: SchemaDialogProps) {
  const { t } = useText()
  const form = useForm({
    initialValues: { schema_url: flow.schema_url ?? '' },
    validate: { schema_url: (url) => (url.trim() === '' || isAddress(url) ? null : t('url.wrong')) },
  })
  const update = useAction(updateFlow, { form, success: t('schema.chosen') })
  const { schema_url: typed } = form.getValues()
  const known = stored.find(({ url }) => url === typed.trim())
  return (
    <FormModal
      title={t('schema.chooseTitle', { flow: flow.name })}
      action={t('save')}
      size="lg"
      running={update.running}
      fault={update.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ schema_url }) => {
        const set = { schema_url: schema_url.trim() || null }
        if (await update.run({ id: flow.id, set })) onClose()
      })}
    >
      <Autocomplete
        label={t('schema.url')}
        description={t('schema.urlHint')}
        data={stored.map(({ url }) => url)}
        limit={50}
        spellCheck={false}
        autoComplete="off"
        data-autofocus
        {...form.getInputProps('schema_url')}
      />
      <Text size="sm" aria-live="polite">
        {known
          ? t('schema.is', { name: known.name, version: known.version })
          : typed.trim()
            ? t('schema.isMissing')
            : t('schema.isNone')}
      </Text>
    </FormModal>
  )
}

/** Stores a schema, or a new version of one, under its address. */
export function StoreSchemaDialog({ flow, stored, onClose }: SchemaDialogProps) {
  const { t } = useText()
  const team = useTeam()
  const [file, setFile] = useState<File | null>(null)
  const current = stored.find(({ url }) => url === flow.schema_url)
  const form = useForm({
    initialValues: { url: '', name: current?.name ?? flow.slug, version: '', document: '' },
    validate: {
      url: (url) => (isAddress(url) ? null : t('url.wrong')),
      name: (name) => (name.trim() ? null : t('schema.nameMissing')),
      version: (version) => (version.trim() ? null : t('schema.versionMissing')),
      document: (text) => (objectOf(text) ? null : t('schema.documentWrong')),
    },
  })
  const store = useAction(storeSchema, {
    form,
    success: ({ upsert_payload_schema: { created, missing } }) =>
      missing.length > 0
        ? t('schema.storedMissing', { urls: missing.join(', ') })
        : t(created ? 'schema.storedNew' : 'schema.storedAgain'),
  })
  const read = async (chosen: File | null) => {
    setFile(chosen)
    const text = await chosen?.text()
    if (text === undefined) return
    form.setFieldValue('document', text)
    const document = objectOf(text)
    // What the document says of itself saves typing; nothing that was typed is lost.
    const { url, version } = form.getValues()
    if (!url && typeof document?.$id === 'string') form.setFieldValue('url', document.$id)
    if (!version && typeof document?.version === 'string') form.setFieldValue('version', document.version)
  }
  return (
    <FormModal
      title={t('schema.storeTitle')}
      action={t('schema.store')}
      size="lg"
      running={store.running}
      fault={store.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ url, name, version, document }) => {
        const done = await store.run({
          object: {
            team_id: team.id,
            url: url.trim(),
            name: name.trim(),
            version: version.trim(),
            document: objectOf(document) ?? {},
          },
        })
        if (done) onClose()
      })}
    >
      <FileInput
        label={t('schema.file')}
        placeholder={t('schema.filePlaceholder')}
        accept="application/json,.json"
        leftSection={<IconFileUpload size={18} aria-hidden />}
        clearable
        value={file}
        onChange={(chosen) => void read(chosen)}
      />
      <JsonInput
        label={t('schema.document')}
        description={t('schema.documentHint')}
        required
        autosize
        minRows={6}
        maxRows={12}
        spellCheck={false}
        styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '13px' } }}
        {...form.getInputProps('document')}
      />
      <TextInput
        label={t('schema.url')}
        description={t('schema.storeUrlHint')}
        placeholder="https://schemas.example.org/application/2.json"
        required
        spellCheck={false}
        autoComplete="off"
        {...form.getInputProps('url')}
      />
      <Group grow align="flex-start">
        <TextInput
          label={t('schema.name')}
          description={t('schema.nameHint')}
          required
          autoComplete="off"
          {...form.getInputProps('name')}
        />
        <TextInput
          label={t('schema.version')}
          description={t('schema.versionHint')}
          required
          autoComplete="off"
          {...form.getInputProps('version')}
        />
      </Group>
    </FormModal>
  )
}

function isAddress(text: string): boolean {
  return /^https?:\/\/\S+$/.test(text.trim()) && URL.canParse(text.trim())
}
