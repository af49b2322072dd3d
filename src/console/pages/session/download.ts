import { useText } from './text.ts'

/** Lets the browser download what is behind an address. Files are sent as attachments, so the page stays. */
export function follow(url: string, name: string): void {
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
}

/** @returns a function that writes bytes as people read them: "3.2 kB". */
export function useSize(): (bytes: number) => string {
  const { language } = useText()
  return (bytes) => {
    const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const
    const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3))
    return new Intl.NumberFormat(language, {
      style: 'unit',
      unit: units[power],
      unitDisplay: power === 0 ? 'long' : 'short',
      maximumFractionDigits: power === 0 ? 0 : 1,
    }).format(bytes / 1000 ** power)
  }
}

/** `1.4 s`, `320 ms`. */
export function useDuration(): (ms: number) => string {
  const { language } = useText()
  return (ms) =>
    new Intl.NumberFormat(language, {
      style: 'unit',
      unit: ms < 1000 ? 'millisecond' : 'second',
      maximumFractionDigits: ms < 1000 ? 0 : 1,
    }).format(ms < 1000 ? ms : ms / 1000)
}
