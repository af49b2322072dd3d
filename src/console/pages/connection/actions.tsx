import { Alert, Button, Menu, Modal, Stack, Text } from '@mantine/core'
import {
  IconArrowUp,
  IconFlask,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlugConnected,
  IconTrash,
} from '@tabler/icons-react'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { useAction } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { ConfirmDelete } from '../../kit/confirm-delete.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { RowMenu } from '../../kit/row-menu.tsx'
import { useKitText } from '../../kit/text.ts'
import { hearsEvents, runsByClock } from '../connector-parts/manifest.ts'
import { DryRunDialog } from './dry-run-dialog.tsx'
import { type ConnectionDetail, deleteConnection, runConnection, setConnection, testConnection } from './queries.ts'
import { useText } from './text.ts'

export interface ActionsProps {
  readonly connection: ConnectionDetail
  /** Whether there is another version to go to. */
  readonly canUpgrade: boolean
  readonly onUpgrade: () => void
}

/** What can be done with the connection as a whole. Viewers see none of it. */
export function Actions({ connection, canUpgrade, onUpgrade }: ActionsProps) {
  const { t } = useText()
  const { edit } = useCan()
  const [asking, setAsking] = useState<'dry' | 'delete' | 'test'>()
  const run = useAction(runConnection, { notify: true, success: t('run.begun') })
  const set = useAction(setConnection, {
    notify: true,
    success: ({ update_connections_by_pk: row }) => t(row?.enabled ? 'enabled' : 'disabled', { name: connection.name }),
  })
  const kinds = connection.connector?.kinds ?? []
  const close = () => setAsking(undefined)
  // What stopped by itself after failures goes on when it is enabled again.
  const isOff = !connection.enabled || connection.health === 'disabled'
  if (!edit) return null
  return (
    <>
      {connection.connector && (
        <Button
          variant="default"
          leftSection={<IconPlugConnected size={18} aria-hidden />}
          onClick={() => setAsking('test')}
        >
          {t('test')}
        </Button>
      )}
      {runsByClock(kinds) && (
        <Button
          leftSection={<IconPlayerPlay size={18} aria-hidden />}
          loading={run.running}
          onClick={() => void run.run({ id: connection.id })}
        >
          {t('runNow')}
        </Button>
      )}
      <RowMenu label={t('actionsFor', { name: connection.name })}>
        {hearsEvents(kinds) && (
          <Menu.Item leftSection={<IconFlask size={16} aria-hidden />} onClick={() => setAsking('dry')}>
            {t('dry')}
          </Menu.Item>
        )}
        {canUpgrade && (
          <Menu.Item leftSection={<IconArrowUp size={16} aria-hidden />} onClick={onUpgrade}>
            {t('upgrade')}
          </Menu.Item>
        )}
        <Menu.Item
          leftSection={isOff ? <IconPlayerPlay size={16} aria-hidden /> : <IconPlayerPause size={16} aria-hidden />}
          onClick={() => void set.run({ id: connection.id, set: { enabled: isOff } })}
        >
          {t(isOff ? 'enable' : 'disable')}
        </Menu.Item>
        <Menu.Item
          color="var(--mantine-color-error)"
          leftSection={<IconTrash size={16} aria-hidden />}
          onClick={() => setAsking('delete')}
        >
          {t('delete')}
        </Menu.Item>
      </RowMenu>
      {asking === 'test' && <TestDialog connection={connection} onClose={close} />}
      {asking === 'dry' && <DryRunDialog connection={connection} onClose={close} />}
      {asking === 'delete' && <DeleteDialog connection={connection} onClose={close} />}
    </>
  )
}

interface DialogProps {
  readonly connection: ConnectionDetail
  readonly onClose: () => void
}

/** Begins at once: nothing is changed by it. */
function TestDialog({ connection, onClose }: DialogProps) {
  const { t, language } = useText()
  const { t: kit } = useKitText()
  const test = useAction(testConnection)
  const [result, setResult] = useState<NonNullable<Awaited<ReturnType<typeof test.run>>>['test_connection']>()
  const go = async () => {
    setResult(undefined)
    const done = await test.run({ id: connection.id, locale: language })
    if (done) setResult(done.test_connection)
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('test.title', { name: connection.name })}
      closeButtonProps={{ 'aria-label': kit('close') }}
    >
      <Stack>
        <Text size="sm">{t('test.text')}</Text>
        <div role="status">
          {result && (
            <Alert
              color={result.ok ? 'green' : 'red'}
              title={t(result.ok ? (result.tested ? 'test.ok' : 'test.checked') : 'test.failed')}
            >
              <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
                {result.message || t(result.tested ? 'test.silent' : 'test.untested')}
              </Text>
            </Alert>
          )}
        </div>
        <ErrorAlert fault={test.fault} />
        <Button onClick={() => void go()} loading={test.running} data-autofocus style={{ alignSelf: 'flex-end' }}>
          {t(result ? 'test.again' : 'test.do')}
        </Button>
      </Stack>
    </Modal>
  )
}

function DeleteDialog({ connection, onClose }: DialogProps) {
  const { t } = useText()
  const navigate = useNavigate()
  const remove = useAction(deleteConnection, { success: t('deleted', { name: connection.name }) })
  return (
    <ConfirmDelete
      title={t('delete.title', { name: connection.name })}
      action={t('delete')}
      name={connection.name}
      running={remove.running}
      fault={remove.fault}
      onClose={onClose}
      onConfirm={async () => {
        if (await remove.run({ id: connection.id })) void navigate('/connections')
      }}
    >
      {t('delete.text')}
    </ConfirmDelete>
  )
}
