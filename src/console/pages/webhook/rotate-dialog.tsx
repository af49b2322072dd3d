import { Select, Text } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useState } from 'react'
import { useAction } from '../../api/hooks.ts'
import { FormModal } from '../../kit/form-modal.tsx'
import { SecretOnce } from '../../kit/secret-once.tsx'
import { rotateSecret, type Webhook } from './queries.ts'
import { useText } from './text.ts'

/** How long the old secret may go on signing, in seconds. */
const overlaps = [0, 3_600, 86_400, 604_800, 2_592_000] as const

/** A new signing secret; the old one signs beside it until the receiver has changed over. */
export function RotateDialog({ webhook, onClose }: { readonly webhook: Webhook; readonly onClose: () => void }) {
  const { t } = useText()
  const [secret, setSecret] = useState<string>()
  const form = useForm({ initialValues: { overlap_seconds: '86400' } })
  const rotate = useAction(rotateSecret, { form })
  const { name } = webhook
  if (secret) {
    return (
      <SecretOnce
        title={t('rotated', { name })}
        values={[{ label: t('secret'), value: secret, secret: true }]}
        onClose={onClose}
      >
        {t('rotated.text')}
      </SecretOnce>
    )
  }
  return (
    <FormModal
      title={t('rotate.title', { name })}
      action={t('rotate')}
      running={rotate.running}
      fault={rotate.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ overlap_seconds }) => {
        const done = await rotate.run({ id: webhook.id, overlap: Number(overlap_seconds) })
        if (done) setSecret(done.rotate_webhook_secret.secret)
      })}
    >
      <Text size="sm">{t('rotate.text')}</Text>
      <Select
        label={t('rotate.overlap')}
        allowDeselect={false}
        data={overlaps.map((seconds) => ({ value: String(seconds), label: t(`rotate.${seconds}`) }))}
        {...form.getInputProps('overlap_seconds')}
      />
    </FormModal>
  )
}
