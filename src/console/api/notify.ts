import '../kit/text.ts'
import type { ReactNode } from 'react'
import { texts } from '../i18n/texts.ts'

/**
 * Tells the person in a corner of the page, and to screen readers, what has happened. `useAction` does it for actions.
 * Its code comes when it is needed first.
 */
export async function notify(kind: 'done' | 'failed', message: ReactNode): Promise<void> {
  const { notifications } = await import('@mantine/notifications')
  notifications.show({
    message,
    closeButtonProps: { 'aria-label': texts.t('close', { ns: 'kit' }) },
    color: kind === 'done' ? 'green' : 'red',
    // What failed takes longer to read.
    autoClose: kind === 'done' ? 5_000 : 12_000,
  })
}
