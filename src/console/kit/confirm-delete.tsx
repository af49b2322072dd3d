import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import type { Fault } from '../api/fault.ts'
import { ErrorAlert } from './error-alert.tsx'
import { useKitText } from './text.ts'

export interface ConfirmDeleteProps {
  readonly title: string
  /** What happens, and whether it can be undone. */
  readonly children: ReactNode
  /** The button: a verb, "Revoke". */
  readonly action: string
  /** Asked to be typed, for what cannot be undone. */
  readonly name?: string
  readonly running: boolean
  readonly fault?: Fault | undefined
  readonly onConfirm: () => void
  readonly onClose: () => void
}

/** Asks before something ends, and says what happens. What cannot be undone wants the thing's name. */
export function ConfirmDelete({
  title,
  children,
  action,
  name,
  running,
  fault,
  onConfirm,
  onClose,
}: ConfirmDeleteProps) {
  const { t } = useKitText()
  const [typed, setTyped] = useState('')
  const [wrong, setWrong] = useState(false)
  return (
    <Modal opened onClose={onClose} title={title} closeButtonProps={{ 'aria-label': t('close') }}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          const matches = name === undefined || typed.trim() === name
          setWrong(!matches)
          if (matches) onConfirm()
        }}
      >
        <Stack>
          <Text size="sm" component="div">
            {children}
          </Text>
          {name !== undefined && (
            <TextInput
              label={t('confirm.type', { name })}
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
              error={wrong && t('confirm.mismatch', { name })}
              autoComplete="off"
              data-autofocus
            />
          )}
          <ErrorAlert fault={fault} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('cancel')}
            </Button>
            <Button type="submit" color="red.9" loading={running}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
