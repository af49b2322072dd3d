import { Badge } from '@mantine/core'
import { useSocketState } from '../app/context.tsx'
import { useKitText } from './text.ts'

/** Beside a title: what is shown changes by itself, or waits for the gateway. */
export function LiveDot() {
  const { t } = useKitText()
  const lost = useSocketState() === 'reconnecting'
  return (
    <Badge
      variant="transparent"
      px={0}
      color={lost ? 'yellow' : 'green'}
      className="sluice-status"
      title={lost ? undefined : t('liveText')}
      leftSection={<span className={lost ? 'sluice-dot' : 'sluice-dot sluice-dot-live'} />}
    >
      {lost ? t('reconnecting') : t('live')}
    </Badge>
  )
}
