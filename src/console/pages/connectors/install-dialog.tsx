import { Code, FileInput, SegmentedControl, Stack, Text, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconPackage } from '@tabler/icons-react'
import { useNavigate } from 'react-router'
import { useAction } from '../../api/hooks.ts'
import { FormModal } from '../../kit/form-modal.tsx'
import { installConnector } from './queries.ts'
import { useText } from './text.ts'

/** Of the API: a tarball above is refused. */
const mostBytes = 4 * 1024 * 1024

interface Values {
  readonly from: 'tarball' | 'npm'
  readonly tarball: File | null
  readonly reference: string
}

/** Brings a package in, for review. A worker unpacks and looks at it, which takes some seconds. */
export function InstallDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useText()
  const navigate = useNavigate()
  const form = useForm<Values>({
    mode: 'controlled',
    initialValues: { from: 'tarball', tarball: null, reference: '' },
    validate: {
      tarball: (file, { from }) =>
        from !== 'tarball'
          ? null
          : !file
            ? t('install.tarball.missing')
            : file.size > mostBytes
              ? t('install.tarball.large')
              : null,
      reference: (text, { from }) =>
        from === 'npm' && !/^(npm:)?(@[\w.-]+\/)?[\w.-]+@\d[\w.+-]*$/.test(text.trim())
          ? t('install.reference.wrong')
          : null,
    },
  })
  const install = useAction(installConnector, {
    form,
    success: ({ install_connector: { implementation, version, created } }) =>
      t(created ? 'install.done' : 'install.known', { implementation, version }),
  })
  const { from } = form.values
  return (
    <FormModal
      title={t('install')}
      action={t('install.do')}
      running={install.running}
      fault={install.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ from, tarball, reference }) => {
        const plain = reference.trim().replace(/^npm:/, '')
        const done = await install.run(
          from === 'npm'
            ? { tarball: null, reference: `npm:${plain}` }
            : { tarball: tarball && (await base64Of(tarball)), reference: null },
        )
        if (done) void navigate(`/connectors/${done.install_connector.id}`)
      })}
    >
      <Text size="sm">{t('install.text')}</Text>
      <SegmentedControl
        fullWidth
        aria-label={t('install.from')}
        data={[
          { value: 'tarball', label: t('install.from.tarball') },
          { value: 'npm', label: t('install.from.npm') },
        ]}
        {...form.getInputProps('from')}
      />
      {from === 'tarball' ? (
        <Stack gap={4}>
          <FileInput
            label={t('install.tarball')}
            description={t('install.tarball.hint')}
            placeholder={t('install.tarball.choose')}
            leftSection={<IconPackage size={18} aria-hidden />}
            accept=".tgz,.tar.gz,application/gzip"
            required
            clearable
            clearButtonProps={{ 'aria-label': t('install.tarball.clear') }}
            {...form.getInputProps('tarball')}
          />
          <Code block>npm run connector -- pack my-connector</Code>
        </Stack>
      ) : (
        <TextInput
          label={t('install.reference')}
          description={t('install.reference.hint')}
          placeholder="sluice-connector-example@1.0.0"
          required
          autoComplete="off"
          spellCheck={false}
          {...form.getInputProps('reference')}
        />
      )}
    </FormModal>
  )
}

async function base64Of(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer())
  let text = ''
  // In pieces: one call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 32_768) text += String.fromCharCode(...bytes.subarray(at, at + 32_768))
  return btoa(text)
}
