import { Alert, Button, Checkbox, Group, Modal, PasswordInput, Stack, Text, TextInput } from '@mantine/core'
import { IconKey } from '@tabler/icons-react'
import { type ReactNode, useState } from 'react'
import { CopyButton } from './copy-button.tsx'
import { useKitText } from './text.ts'

export interface SecretOnceProps {
  /** The dialog's title: "Secret of BOPS, production". */
  readonly title: string
  /** Shown in order. `secret` ones are hidden until asked for. */
  readonly values: readonly { readonly label: string; readonly value: string; readonly secret?: boolean }[]
  /** How to use them. */
  readonly children?: ReactNode
  readonly onClose: () => void
}

/** A new secret, the only time that it can be seen: the dialog closes when the person says that they have it. */
export function SecretOnce({ title, values, children, onClose }: SecretOnceProps) {
  const { t } = useKitText()
  const [kept, setKept] = useState(false)
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      size="lg"
      withCloseButton={false}
      closeOnClickOutside={false}
      closeOnEscape={false}
    >
      <Stack>
        <Alert color="yellow" icon={<IconKey aria-hidden />}>
          {t('secret.once')}
        </Alert>
        {values.map(({ label, value, secret = false }) => {
          const Input = secret ? PasswordInput : TextInput
          return (
            <Group key={label} align="flex-end" gap="xs" wrap="nowrap">
              <Input
                label={label}
                value={value}
                readOnly
                flex={1}
                autoComplete="off"
                styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
                {...(secret
                  ? { visibilityToggleButtonProps: { 'aria-label': t('secret.reveal', { what: label }), tabIndex: 0 } }
                  : {})}
              />
              <Group h={36} align="center">
                <CopyButton value={value} what={label} />
              </Group>
            </Group>
          )
        })}
        {children && (
          <Text size="sm" component="div">
            {children}
          </Text>
        )}
        <Group justify="space-between" mt="xs">
          <Checkbox
            label={t('secret.kept')}
            checked={kept}
            onChange={(event) => setKept(event.currentTarget.checked)}
          />
          <Button onClick={onClose} disabled={!kept}>
            {t('done')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
