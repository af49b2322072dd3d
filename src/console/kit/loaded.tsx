import { Skeleton, Stack, VisuallyHidden } from '@mantine/core'
import type { ReactNode } from 'react'
import type { Fault } from '../api/fault.ts'
import { ErrorAlert } from './error-alert.tsx'
import { useKitText } from './text.ts'

export interface LoadedProps<Data> {
  /** What `useLive` or `useRead` gave. */
  readonly of: {
    readonly data: Data | undefined
    readonly loading: boolean
    readonly fault: Fault | undefined
    readonly retry?: () => void
    readonly refresh?: () => void
  }
  /** Shown instead of grey lines while nothing is there yet. */
  readonly placeholder?: ReactNode
  readonly children: (data: Data) => ReactNode
}

/** Shows data when it is there, grey lines before, and what went wrong with a way to try again. */
export function Loaded<Data>({ of, placeholder, children }: LoadedProps<Data>) {
  const { t } = useKitText()
  return (
    <Stack gap="md">
      <ErrorAlert fault={of.fault} onRetry={of.retry ?? of.refresh} />
      {of.data !== undefined
        ? children(of.data)
        : of.loading && (
            <div aria-busy="true">
              <VisuallyHidden role="status">{t('loading')}</VisuallyHidden>
              {placeholder ?? (
                <Stack gap="sm">
                  <Skeleton h={36} />
                  <Skeleton h={36} />
                  <Skeleton h={36} w="70%" />
                </Stack>
              )}
            </div>
          )}
    </Stack>
  )
}
