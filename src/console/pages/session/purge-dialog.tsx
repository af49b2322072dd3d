import { Stack, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useAction } from '../../api/hooks.ts'
import { ConfirmDelete } from '../../kit/confirm-delete.tsx'
import { purgeSession, type SessionFacts } from './queries.ts'
import { useText } from './text.ts'

/** Erases what a session said. It cannot be undone, so the beginning of its id is to be typed. */
export function PurgeDialog({ session, onClose }: { readonly session: SessionFacts; readonly onClose: () => void }) {
  const { t } = useText()
  const [reason, setReason] = useState('')
  const [isMissing, setMissing] = useState(false)
  const purge = useAction(purgeSession, { success: t('purge.done') })
  return (
    <ConfirmDelete
      title={t('purge.title')}
      action={t('purge.action')}
      name={session.id.slice(0, 8)}
      running={purge.running}
      fault={purge.fault}
      onClose={onClose}
      onConfirm={async () => {
        setMissing(!reason.trim())
        if (reason.trim() && (await purge.run({ id: session.id, reason: reason.trim() }))) onClose()
      }}
    >
      <Stack gap="sm">
        <span>{t('purge.text')}</span>
        <TextInput
          label={t('purge.reason')}
          description={t('purge.reasonText')}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
          error={isMissing && t('purge.reasonMissing')}
          maxLength={200}
          required
          autoComplete="off"
        />
      </Stack>
    </ConfirmDelete>
  )
}
