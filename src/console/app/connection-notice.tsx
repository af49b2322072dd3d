import { Alert, Box } from '@mantine/core'
import { useNetwork } from '@mantine/hooks'
import { IconPlugConnectedX, IconWifiOff } from '@tabler/icons-react'
import { useEffect, useState } from 'react'
import { useSocketState } from './context.tsx'
import { useAppText } from './text.ts'

/** A new token, or a new gateway, is there within this; nobody needs to know. */
const patienceMs = 3_000

/** Says that what is shown may be old, while the network or the gateway is gone. */
export function ConnectionNotice() {
  const { t } = useAppText()
  const { online } = useNetwork()
  const reconnecting = useSocketState() === 'reconnecting'
  const [late, setLate] = useState(false)
  useEffect(() => {
    if (!reconnecting) return setLate(false)
    const timer = setTimeout(() => setLate(true), patienceMs)
    return () => clearTimeout(timer)
  }, [reconnecting])
  const kind = online ? (late ? 'reconnecting' : null) : 'offline'
  return (
    <Box role="status" aria-live="polite">
      {kind && (
        <Alert
          mb="md"
          color="yellow"
          icon={kind === 'offline' ? <IconWifiOff aria-hidden /> : <IconPlugConnectedX aria-hidden />}
          title={t(`${kind}.title`)}
        >
          {t(`${kind}.text`)}
        </Alert>
      )}
    </Box>
  )
}
