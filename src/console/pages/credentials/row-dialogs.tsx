import { Select, Text } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useState } from 'react'
import { useAction } from '../../api/hooks.ts'
import { ConfirmDelete } from '../../kit/confirm-delete.tsx'
import { FormModal } from '../../kit/form-modal.tsx'
import { SecretOnce } from '../../kit/secret-once.tsx'
import { Time } from '../../kit/time.tsx'
import { type CredentialRow, revokeCredential, rotateCredential } from './queries.ts'
import { useText } from './text.ts'

export interface RowDialogProps {
  readonly row: CredentialRow
  readonly onClose: () => void
}

/** How long the old secret may go on, in seconds. */
const overlaps = [0, 3_600, 86_400, 604_800, 2_592_000] as const

/** A new secret; the one of now goes on as long as its holder needs to change over. */
export function RotateDialog({ row, onClose }: RowDialogProps) {
  const { t } = useText()
  const [made, setMade] = useState<{ readonly secret: string; readonly previous_expires_at: string | null }>()
  const form = useForm({ initialValues: { overlap_seconds: '86400' } })
  const rotate = useAction(rotateCredential, { form })
  if (made) {
    return (
      <SecretOnce
        title={t('rotated.title', { name: row.name })}
        values={[{ label: t('secret'), value: made.secret, secret: true }]}
        onClose={onClose}
      >
        {made.previous_expires_at ? (
          <>
            {t('rotated.until')} <Time at={made.previous_expires_at} />
          </>
        ) : (
          t('rotated.atOnce')
        )}
      </SecretOnce>
    )
  }
  return (
    <FormModal
      title={t('rotate.title', { name: row.name })}
      action={t('rotate')}
      running={rotate.running}
      fault={rotate.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ overlap_seconds }) => {
        const done = await rotate.run({ id: row.id, overlap: Number(overlap_seconds) })
        if (done) setMade(done.rotate_credential)
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

export function RevokeDialog({ row, onClose }: RowDialogProps) {
  const { t } = useText()
  const revoke = useAction(revokeCredential, { success: t('revoke.done', { name: row.name }) })
  return (
    <ConfirmDelete
      title={t('revoke.title', { name: row.name })}
      action={t('revoke')}
      name={row.name}
      running={revoke.running}
      fault={revoke.fault}
      onClose={onClose}
      onConfirm={async () => {
        if (await revoke.run({ id: row.id })) onClose()
      }}
    >
      {t('revoke.text')}
    </ConfirmDelete>
  )
}
