import { Button, Group, Modal, type ModalProps, Stack } from '@mantine/core'
import type { FormEvent, ReactNode } from 'react'
import type { Fault } from '../api/fault.ts'
import { ErrorAlert } from './error-alert.tsx'
import { useKitText } from './text.ts'

export interface FormModalProps {
  readonly title: string
  /** The button: a verb, "Create". */
  readonly action: string
  readonly running: boolean
  readonly fault?: Fault | undefined
  /** `form.onSubmit(…)`. */
  readonly onSubmit: (event: FormEvent<HTMLFormElement>) => void
  readonly onClose: () => void
  readonly size?: ModalProps['size']
  /** The fields. */
  readonly children: ReactNode
}

/** A short form in a dialog: fields, what went wrong, cancel and do. Render it only while it is open. */
export function FormModal({ title, action, running, fault, onSubmit, onClose, size, children }: FormModalProps) {
  const { t } = useKitText()
  return (
    <Modal opened onClose={onClose} title={title} size={size} closeButtonProps={{ 'aria-label': t('close') }}>
      <form
        noValidate
        onSubmit={(event) => {
          const form = event.currentTarget
          onSubmit(event)
          // Fields that are refused at once: the first of them takes the focus, as soon as it says so.
          requestAnimationFrame(() => form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus())
        }}
      >
        <Stack>
          {children}
          <ErrorAlert fault={fault} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('cancel')}
            </Button>
            <Button type="submit" loading={running}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
