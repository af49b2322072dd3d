/** The content of a raw source, to be shown or saved. Pure, but for `save`. */
import type { SourceContent } from './queries.ts'

/** More is only saved, not shown. */
const mostShown = 200_000

export function bytesOf({ content }: Pick<SourceContent, 'content'>): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))
}

/** As text, JSON with its lines; null for what is no text. */
export function textOf(bytes: Uint8Array): string | null {
  if (bytes.length > mostShown) return null
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    // What has control characters is no text for people.
    if (/[^\P{Cc}\s]/u.test(text)) return null
    return /^\s*[[{]/.test(text) ? pretty(text) : text
  } catch {
    return null
  }
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

const endings: Readonly<Record<string, string>> = {
  'application/json': 'json',
  'application/pdf': 'pdf',
  'application/xml': 'xml',
  'message/rfc822': 'eml',
  'text/calendar': 'ics',
  'text/csv': 'csv',
  'text/html': 'html',
  'text/plain': 'txt',
  'text/xml': 'xml',
}

export function fileNameOf({ id, mime }: Pick<SourceContent, 'id' | 'mime'>): string {
  return `${id}.${endings[mime?.split(';')[0]?.trim().toLowerCase() ?? ''] ?? 'bin'}`
}

/** Saved as bytes of no type: a browser never opens what third parties sent. */
export function save(content: SourceContent, bytes: Uint8Array<ArrayBuffer>): void {
  const url = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }))
  const link = document.createElement('a')
  link.href = url
  link.download = fileNameOf(content)
  link.click()
  // The browser has taken it over by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
