import type { Fault } from '../api/fault.ts'
import type en from './en.json'
import { useKitText } from './text.ts'

type Told = Pick<Fault, 'code' | 'message'>
type Titled = Extract<keyof typeof en, `fault.${Uppercase<string>}`>

const titles = {
  BAD_REQUEST: 'fault.BAD_REQUEST',
  VALIDATION_FAILED: 'fault.VALIDATION_FAILED',
  UNAUTHENTICATED: 'fault.UNAUTHENTICATED',
  FORBIDDEN: 'fault.FORBIDDEN',
  NOT_FOUND: 'fault.NOT_FOUND',
  CONFLICT: 'fault.CONFLICT',
  GONE: 'fault.GONE',
  TOO_LARGE: 'fault.TOO_LARGE',
  UNSUPPORTED: 'fault.UNSUPPORTED',
  RATE_LIMITED: 'fault.RATE_LIMITED',
  BLOCKED: 'fault.BLOCKED',
  UNAVAILABLE: 'fault.UNAVAILABLE',
  CONFIGURATION: 'fault.CONFIGURATION',
  INTERNAL: 'fault.INTERNAL',
  NETWORK: 'fault.NETWORK',
  UNEXPECTED: 'fault.UNEXPECTED',
} as const satisfies Readonly<Record<string, Titled>>

/** What kind of thing went wrong, in the person's language. */
export function useFaultTitle(): (code: string) => string {
  const { t } = useKitText()
  return (code) => t(Object.hasOwn(titles, code) ? titles[code as keyof typeof titles] : 'fault.title')
}

/** What the API says itself: English on a page of any language, and marked as such (WCAG 3.1.2). */
export function Said({ children }: { readonly children: string }) {
  return <span lang="en">{children}</span>
}

/** A fault in a line: at a field, in a notification. Where English is foreign, what kind of fault it is comes before. */
export function FaultText({ fault: { code, message } }: { readonly fault: Told }) {
  const { t, language } = useKitText()
  const title = useFaultTitle()
  if (code === 'NETWORK') return `${title(code)}. ${t('fault.network')}`
  if (language === 'en') return message
  return (
    <>
      {title(code)}: <Said>{message}</Said>
    </>
  )
}
