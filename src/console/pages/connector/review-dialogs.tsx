import { Button, Code, Group, Modal, Stack, Text, Textarea, Title } from '@mantine/core'
import { useState } from 'react'
import { useAction } from '../../api/hooks.ts'
import { ConfirmDelete } from '../../kit/confirm-delete.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { useKitText } from '../../kit/text.ts'
import { titleOf } from '../connector-parts/manifest.ts'
import { PermissionList } from '../connector-parts/permissions.tsx'
import { type ConnectorDetail, reviewConnector, uninstallConnector } from './queries.ts'
import { useText } from './text.ts'

export interface ReviewDialogProps {
  readonly connector: ConnectorDetail
  readonly onClose: () => void
}

/** What approving agrees to, a note for the people who use it, and the decision. */
export function ReviewDialog({ connector, onClose }: ReviewDialogProps) {
  const { t, language } = useText()
  const { t: kit } = useKitText()
  const [note, setNote] = useState(connector.review_note ?? '')
  const review = useAction(reviewConnector, {
    success: ({ review_connector: { status } }) =>
      t(status === 'approved' ? 'review.approved' : 'review.rejected', {
        name: titleOf(connector, language).name,
        version: connector.version,
      }),
  })
  const decide = async (decision: 'approve' | 'reject') => {
    if (await review.run({ id: connector.id, decision, note: note.trim() || null })) onClose()
  }
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={t('review.title', { name: titleOf(connector, language).name, version: connector.version })}
      closeButtonProps={{ 'aria-label': kit('close') }}
    >
      <Stack>
        <Text size="sm">{t('review.text')}</Text>
        <Stack gap="xs" component="section">
          <Title order={3} size="h3">
            {t('may')}
          </Title>
          <PermissionList connector={connector} />
        </Stack>
        <Stack gap="xs" component="section">
          <Title order={3} size="h3">
            {t('functions')}
          </Title>
          <FunctionList functions={connector.functions} />
        </Stack>
        <Textarea
          label={t('review.note')}
          description={t('review.noteHint')}
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
          maxLength={1000}
          autosize
          minRows={2}
        />
        <ErrorAlert fault={review.fault} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {kit('cancel')}
          </Button>
          <Button variant="default" disabled={review.running} onClick={() => void decide('reject')}>
            {t('reject')}
          </Button>
          <Button loading={review.running} onClick={() => void decide('approve')}>
            {t('approve')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}

export function FunctionList({ functions }: { readonly functions: readonly string[] }) {
  const { t } = useText()
  if (functions.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t('functions.unknown')}
      </Text>
    )
  }
  return (
    <Group gap={6} component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label={t('functions')}>
      {functions.map((name) => (
        <li key={name}>
          <Code>{name}</Code>
        </li>
      ))}
    </Group>
  )
}

export function WithdrawDialog({ connector, onClose }: ReviewDialogProps) {
  const { t, language } = useText()
  const [note, setNote] = useState('')
  const { name } = titleOf(connector, language)
  const withdraw = useAction(reviewConnector, {
    success: t('withdraw.done', { name, version: connector.version }),
  })
  return (
    <ConfirmDelete
      title={t('withdraw.title', { name, version: connector.version })}
      action={t('withdraw')}
      name={connector.version}
      running={withdraw.running}
      fault={withdraw.fault}
      onClose={onClose}
      onConfirm={async () => {
        const done = await withdraw.run({ id: connector.id, decision: 'withdraw', note: note.trim() || null })
        if (done) onClose()
      }}
    >
      <Stack gap="sm">
        <Text size="sm">{t('withdraw.text')}</Text>
        <Textarea
          label={t('review.note')}
          description={t('review.noteHint')}
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
          maxLength={1000}
          autosize
        />
      </Stack>
    </ConfirmDelete>
  )
}

export function UninstallDialog({ connector, onClose }: ReviewDialogProps) {
  const { t, language } = useText()
  const { name } = titleOf(connector, language)
  const uninstall = useAction(uninstallConnector, {
    success: t('uninstall.done', { name, version: connector.version }),
  })
  return (
    <ConfirmDelete
      title={t('uninstall.title', { name, version: connector.version })}
      action={t('uninstall')}
      running={uninstall.running}
      fault={uninstall.fault}
      onClose={onClose}
      onConfirm={async () => {
        if (await uninstall.run({ id: connector.id })) onClose()
      }}
    >
      {t('uninstall.text')}
    </ConfirmDelete>
  )
}
