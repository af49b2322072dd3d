import { Button } from '@mantine/core'
import { useLocation, useNavigate, useRouteError } from 'react-router'
import { Message } from './messages.tsx'
import { useAppText } from './text.ts'

/** Instead of a page that threw. The shell and the other pages go on. */
export function PageError() {
  const { t } = useAppText()
  const error = useRouteError()
  const navigate = useNavigate()
  const location = useLocation()
  // Chunks of an older build are gone from the gateway once a new one is served.
  const outdated = error instanceof Error && /dynamically imported module|module script failed/i.test(error.message)
  if (outdated) {
    return (
      <Message
        title={t('broken.title')}
        actions={<Button onClick={() => globalThis.location.reload()}>{t('broken.reload')}</Button>}
      >
        {t('broken.updated')}
      </Message>
    )
  }
  return (
    <Message
      title={t('broken.title')}
      actions={<Button onClick={() => void navigate(location, { replace: true })}>{t('retry')}</Button>}
    >
      {t('broken.text')}
    </Message>
  )
}
