/**
 * What a file really is, told from its bytes as they pass: size, SHA-256, and whether the content is of the type it is
 * said to be. Only the first and the last 64 KiB are kept.
 *
 * Refused besides what is simply something else: programs and HTML under another name, archives hidden behind another
 * file's end (a GIF that is also a JAR), Office files with macros, SVG with scripts.
 */
import { createHash } from 'node:crypto'
import { fileTypeFromBuffer } from 'file-type'
import { SluiceError } from '../errors.ts'
import type { FileType } from './types.ts'

export interface ContentFacts {
  /** In bytes. */
  readonly size: number
  /** Lower-case hexadecimal. */
  readonly sha256: string
  /** What makes it unfit, as a sentence for the sender; null when it is what it says. */
  readonly problem: string | null
}

export interface ContentCheck {
  /** @throws SluiceError TOO_LARGE */
  take(chunk: Buffer): void
  finish(): Promise<ContentFacts>
}

const keptBytes = 64 * 1024

export interface ContentCheckOptions {
  readonly type: FileType
  readonly maxBytes: number
}

/**
 * @example
 * const check = createContentCheck({ type, maxBytes: 30_000_000 })
 * for await (const chunk of stream) check.take(chunk)
 * const { sha256, problem } = await check.finish()
 */
export function createContentCheck({ type, maxBytes }: ContentCheckOptions): ContentCheck {
  const hash = createHash('sha256')
  const text = 'text' in type.content ? textCheck(type.content.text) : undefined
  let size = 0
  let head = Buffer.alloc(0)
  let tail = Buffer.alloc(0)
  return {
    take(chunk) {
      size += chunk.length
      if (size > maxBytes) throw tooLarge(maxBytes)
      hash.update(chunk)
      text?.take(chunk)
      if (head.length < keptBytes) head = Buffer.concat([head, chunk.subarray(0, keptBytes - head.length)])
      tail =
        chunk.length >= keptBytes
          ? Buffer.from(chunk.subarray(-keptBytes))
          : Buffer.concat([tail, chunk]).subarray(-keptBytes)
    },
    async finish() {
      const sha256 = hash.digest('hex')
      if (size === 0) return { size, sha256, problem: 'The file is empty.' }
      const found = await fileTypeFromBuffer(head)
      const problem = text
        ? (foreign(found, type) ?? text.finish(head, tail))
        : (wrongSignature(found, type) ?? hidden(head, tail, type))
      return { size, sha256, problem: problem ?? null }
    },
  }
}

export function tooLarge(maxBytes: number): SluiceError {
  const size = maxBytes >= 1024 * 1024 ? `${+(maxBytes / 1024 / 1024).toFixed(1)} MiB` : `${maxBytes} bytes`
  return new SluiceError(
    'TOO_LARGE',
    `The file is larger than ${size}, the limit here (MAX_FILE_BYTES). Send a smaller one.`,
  )
}

type Found = { readonly ext: string; readonly mime: string } | undefined

function foreign(found: Found, type: FileType): string | undefined {
  // XML is what SVG is made of.
  if (!found || (type.name === 'svg' && /xml/.test(found.mime))) return undefined
  return isNot(type, `is ${found.mime}`)
}

function wrongSignature(found: Found, type: FileType): string | undefined {
  const { signatures } = type.content as { signatures: readonly string[] }
  if (found && signatures.includes(found.mime)) return undefined
  return isNot(type, found ? `is ${found.mime}` : 'is not recognised as anything that is taken here')
}

const isNot = (type: FileType, found: string) => `The file is said to be ${type.mime}, but its content ${found}.`

/** Two files in one: what reads from the end, or skips to the first tag, would see another than we did. */
function hidden(head: Buffer, tail: Buffer, type: FileType): string | undefined {
  if (markup.test(head.toString('latin1', 0, 1024))) return isNot(type, 'is also HTML')
  const directory = zipDirectory(tail)
  if (type.part) {
    if (!directory?.includes('[Content_Types].xml') || !directory.includes(type.part))
      return isNot(type, 'is another kind of ZIP archive')
    if (directory.includes('vbaProject.bin'))
      return 'The file contains macros, which are not taken here. Save it without them.'
    return undefined
  }
  if (directory !== undefined && type.name !== 'zip') return isNot(type, 'is also a ZIP archive')
  return undefined
}

const markup = /<(?:!doctype\s+html|html|head|body|script|iframe)\b/i

/** What lies before a ZIP's end record (APPNOTE.TXT 4.3.16), where its list of entries is; undefined when the file has none. */
function zipDirectory(tail: Buffer): string | undefined {
  for (let at = tail.length - 22; at >= 0; at = tail.lastIndexOf('PK\u0005\u0006', at - 1, 'latin1')) {
    if (tail.readUInt32LE(at) === 0x06054b50 && at + 22 + tail.readUInt16LE(at + 20) <= tail.length) {
      return tail.toString('latin1', 0, at)
    }
    if (at === 0) break
  }
  return undefined
}

interface TextCheck {
  take(chunk: Buffer): void
  finish(head: Buffer, tail: Buffer): string | undefined
}

/** Plain text may be of an older 8-bit encoding, as spreadsheets still write; JSON and SVG are UTF-8. */
function textCheck(kind: 'plain' | 'json' | 'geojson' | 'svg'): TextCheck {
  const decoder = kind === 'plain' ? undefined : new TextDecoder('utf-8', { fatal: true })
  let problem: string | undefined
  let before = ''
  const scripts = (text: string) => {
    const seen = before + text
    if (active.test(seen))
      problem = 'The SVG contains scripts, event handlers, or references to elsewhere, which are not taken here.'
    before = seen.slice(-256)
  }
  return {
    take(chunk) {
      if (problem) return
      if (hasControls(chunk)) problem = 'The file is said to be text, but contains bytes that text has not.'
      try {
        const text = decoder?.decode(chunk, { stream: true })
        if (kind === 'svg' && text !== undefined) scripts(text)
      } catch {
        problem = 'The file is not valid UTF-8.'
      }
    },
    finish(head, tail) {
      if (problem) return problem
      try {
        decoder?.decode()
      } catch {
        return 'The file ends in the middle of a UTF-8 character.'
      }
      const start = head
        .toString('utf8')
        .replace(/^\uFEFF/, '')
        .trimStart()
      if (start.startsWith('#!')) return 'The file is a script, which is not taken here.'
      if (kind === 'svg')
        return /<svg[\s>]/i.test(start)
          ? undefined
          : 'The file is said to be SVG, but has no svg element near its beginning.'
      if (markup.test(start.slice(0, 1024))) return 'The file is said to be text, but its content is HTML.'
      if (kind === 'plain') return undefined
      return jsonProblem(start, tail.toString('utf8').trimEnd(), kind)
    },
  }
}

/** Event handlers, scripts, foreign markup, and what makes a viewer fetch something. */
const active =
  /<\s*(?:script|foreignObject|iframe|object|embed|handler)\b|<!ENTITY|\son[a-z]+\s*=|javascript:|data:text\/html|href\s*=\s*["']?\s*(?:https?:)?\/\//i

function hasControls(chunk: Buffer): boolean {
  for (const byte of chunk) {
    // Tab, line feed, vertical tab, form feed and carriage return are 9 to 13.
    if (byte < 32 && (byte < 9 || byte > 13)) return true
  }
  return false
}

/** Whole documents are not parsed, for they are not kept: it has to begin and to end as one. */
function jsonProblem(start: string, end: string, kind: 'json' | 'geojson'): string | undefined {
  const closing = { '{': '}', '[': ']' }[start[0] ?? '']
  if (!closing || !end.endsWith(closing)) return 'The file is said to be JSON, but is not a whole object or array.'
  if (kind === 'json' || (closing === '}' && geo.test(start + end))) return undefined
  return 'The file is said to be GeoJSON, but names no type of GeoJSON, such as "FeatureCollection".'
}

const geo = /"type"\s*:\s*"(?:Feature|FeatureCollection|GeometryCollection|(?:Multi)?(?:Point|LineString|Polygon))"/
