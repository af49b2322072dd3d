import { Alert, Button, Group, Text } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import type { Fault } from '../api/fault.ts'
import { Said, useFaultTitle } from './fault-text.tsx'
import { useKitText } from './text.ts'

export interface ErrorAlertProps {
  /** Nothing is shown without one. */
  readonly fault: Fault | undefined
  /** Offers to try again. */
  readonly onRetry?: () => void
}

/** What kind of thing went wrong, then in the API's words, with its code for whoever asks the operator. */
export function ErrorAlert({ fault, onRetry }: ErrorAlertProps) {
  const { t } = useKitText()
  const title = useFaultTitle()
  if (!fault) return null
  return (
    <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title={title(fault.code)} role="alert">
      <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
        {fault.code === 'NETWORK' ? t('fault.network') : <Said>{fault.message}</Said>}
      </Text>
      <Group mt={6} gap="md">
        {onRetry && (
          <Button size="compact-sm" variant="default" onClick={onRetry}>
            {t('retry')}
          </Button>
        )}
        <Text size="xs" c="dimmed" ff="monospace">
          {t('fault.code', { code: fault.code })}
        </Text>
      </Group>
    </Alert>
  )
}
