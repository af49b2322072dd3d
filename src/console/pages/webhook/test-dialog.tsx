import { Button, Code, Group, Loader, Modal, Stack, Text } from '@mantine/core'
import { useEffect, useRef, useState } from 'react'
import { type Action, useAction } from '../../api/hooks.ts'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { duration } from './attempt-view.tsx'
import { type Tested, testWebhook, type Webhook } from './queries.ts'
import { useText } from './text.ts'

export interface TestDialogProps {
  readonly webhook: Webhook
  /** Shows the delivery with its attempt. */
  readonly onDelivery: (id: string) => void
  readonly onClose: () => void
}

/** Sends a test at once, and says what came of it. */
export function TestDialog({ webhook, onDelivery, onClose }: TestDialogProps) {
  const { t } = useText()
  const test = useAction(testWebhook)
  const [tested, setTested] = useState<Tested>()
  const begun = useRef(false)
  const send = async () => {
    setTested(undefined)
    const done = await test.run({ id: webhook.id })
    if (done) setTested(done.test_webhook)
  }
  // Once for a dialog: the person has asked for it already.
  useEffect(() => {
    if (begun.current) return
    begun.current = true
    void send()
  })
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('test.title', { name: webhook.name })}
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <Stack>
        <div aria-live="polite">
          {test.running && (
            <Group gap="sm">
              <Loader size="sm" aria-hidden />
              <Text size="sm">{t('test.running')}</Text>
            </Group>
          )}
          {tested && <Outcome tested={tested} />}
        </div>
        <ErrorAlert fault={test.fault} />
        <TestButtons
          test={test}
          tested={tested}
          onAgain={() => void send()}
          onDelivery={onDelivery}
          onClose={onClose}
        />
      </Stack>
    </Modal>
  )
}

function Outcome({ tested: { outcome } }: { readonly tested: Tested }) {
  const { t, language } = useText()
  if (!outcome) return <Text size="sm">{t('test.later')}</Text>
  const isGood = outcome.status === 'succeeded'
  return (
    <Stack gap="xs">
      <Group gap="sm">
        <StatusBadge tone={isGood ? 'good' : 'bad'}>{t(isGood ? 'test.good' : 'test.bad')}</StatusBadge>
        {outcome.status_code !== null && (
          <Text size="sm" component="span">
            HTTP {outcome.status_code}
          </Text>
        )}
        <Text size="sm" c="dimmed" component="span">
          {duration(outcome.duration_ms, language)}
        </Text>
      </Group>
      {outcome.error && (
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {outcome.error}
        </Text>
      )}
      {outcome.response_body && (
        <Code block tabIndex={0} mah={160} style={{ overflow: 'auto', whiteSpace: 'pre-wrap' }}>
          {outcome.response_body}
        </Code>
      )}
      <Text size="sm" c="dimmed">
        {t(isGood ? 'test.goodText' : 'test.badText')}
      </Text>
    </Stack>
  )
}

interface TestButtonsProps {
  readonly test: Action<unknown, never>
  readonly tested: Tested | undefined
  readonly onAgain: () => void
  readonly onDelivery: (id: string) => void
  readonly onClose: () => void
}

function TestButtons({ test, tested, onAgain, onDelivery, onClose }: TestButtonsProps) {
  const { t } = useText()
  return (
    <Group justify="flex-end">
      <Button variant="default" onClick={onAgain} disabled={test.running}>
        {t('test.again')}
      </Button>
      {tested && (
        <Button variant="default" onClick={() => onDelivery(tested.delivery_id)}>
          {t('test.details')}
        </Button>
      )}
      <Button onClick={onClose}>{t('close')}</Button>
    </Group>
  )
}
