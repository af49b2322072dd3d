/** The document of an export of webhooks, as JSON and as CSV: the same fields, one webhook an entry or a line. */
import { CsvError, parse as parseCsv } from 'csv-parse/sync'
import { stringify as stringifyCsv } from 'csv-stringify/sync'
import {
  findNodeAtLocation,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser'
import { SluiceError } from '../errors.ts'

export type TransferFormat = 'json' | 'csv'

/** Everything that an editor sets of a webhook, secrets left out. */
export const transferFields = [
  'integration',
  'name',
  'url',
  'config',
  'pattern',
  'events',
  'headers',
  'ordered',
  'rate_per_second',
  'concurrency',
  'timeout_ms',
  'enabled',
  'signatures',
] as const

export type TransferField = (typeof transferFields)[number]
/** `integration` is the integration's slug. */
export type TransferRecord = Readonly<Record<TransferField, unknown>>

/** One webhook of a document. */
export interface TransferLine {
  /** Where it begins, from 1. */
  readonly line: number
  readonly values: Readonly<Record<string, unknown>>
  /** What is wrong with it already. */
  readonly error?: { readonly column: string; readonly message: string }
}

/** Of a JSON document. One without it is read as this one; CSV has none. */
const version = 1

const lists = new Set<string>(['events', 'signatures'])
const objects = new Set<string>(['config', 'pattern', 'headers'])
const numbers = new Set<string>(['rate_per_second', 'concurrency', 'timeout_ms'])
const booleans = new Set<string>(['ordered', 'enabled'])

/** What a spreadsheet would take for a formula. */
const formula = /^[=+\-@\t\r＝＋－＠]/
const disarmed = /^'[=+\-@\t\r＝＋－＠]/

export function writeDocument(records: readonly TransferRecord[], format: TransferFormat): string {
  if (format === 'json') return `${JSON.stringify({ version, webhooks: records }, null, 2)}\n`
  const rows = records.map((record) => transferFields.map((field) => cellOf(field, record[field])))
  return stringifyCsv([[...transferFields], ...rows], { record_delimiter: '\r\n' })
}

/**
 * The webhooks of a document. One that cannot be read is a line with an error.
 *
 * @throws SluiceError VALIDATION_FAILED with line and column for a document that cannot be read at all.
 */
export function readDocument(document: string, format: TransferFormat): readonly TransferLine[] {
  return format === 'json' ? readJson(document) : readCsv(document)
}

function cellOf(field: TransferField, value: unknown): string {
  if (value === null || value === undefined) return ''
  if (lists.has(field)) return (value as readonly string[]).join(' ')
  if (objects.has(field)) return JSON.stringify(value)
  const text = String(value)
  return formula.test(text) ? `'${text}` : text
}

function readCsv(document: string): readonly TransferLine[] {
  let rows: { record: Record<string, string>; info: { lines: number } }[]
  let header: string[] = []
  try {
    rows = parseCsv(document, {
      bom: true,
      columns: (names: string[]) => {
        header = names.map((name) => name.trim())
        return header
      },
      info: true,
      skip_empty_lines: true,
      max_record_size: 100_000,
    }) as unknown as typeof rows
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause
    const { lines, column } = cause as { lines?: number; column?: string | number }
    throw unreadable(`line ${lines ?? '?'}, column ${String(column ?? '?')}: ${cause.message}`, cause)
  }
  for (const name of header) requireKnown(name, 'line 1', header)
  return rows.map(({ record, info }) => {
    // The parser counts the lines that a record ends on.
    const inside = Object.values(record).reduce((sum, text) => sum + (text.match(/\n/g)?.length ?? 0), 0)
    const line = info.lines - inside
    const values: Record<string, unknown> = {}
    for (const [name, text] of Object.entries(record)) {
      if (text === '') continue
      try {
        values[name] = cellValue(name, text)
      } catch (error) {
        return {
          line,
          values,
          error: { column: name, message: error instanceof Error ? error.message : String(error) },
        }
      }
    }
    return { line, values }
  })
}

function cellValue(name: string, text: string): unknown {
  if (lists.has(name)) return text.split(/[\s,;]+/).filter((part) => part !== '')
  if (numbers.has(name)) {
    const number = Number(text)
    if (Number.isNaN(number)) throw new Error('must be a number')
    return number
  }
  if (booleans.has(name)) {
    const word = text.trim().toLowerCase()
    if (word !== 'true' && word !== 'false') throw new Error('must be true or false')
    return word === 'true'
  }
  if (objects.has(name)) {
    try {
      return JSON.parse(text)
    } catch {
      throw new Error('must be a JSON object such as {"office": "north"}')
    }
  }
  return disarmed.test(text) ? text.slice(1) : text
}

/** The parser calls itself for each level of nesting, and hostile documents have more than the stack. */
function treeOf(text: string, errors: ParseError[]): ReturnType<typeof parseTree> {
  try {
    return parseTree(text, errors, { disallowComments: true })
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw unreadable('it nests too deeply')
  }
}

function readJson(document: string): readonly TransferLine[] {
  const errors: ParseError[] = []
  const text = document.replace(/^\ufeff/, '')
  const root = treeOf(text, errors)
  const [first] = errors
  if (first) {
    const { line, column } = placeOf(text, first.offset)
    throw unreadable(`line ${line}, column ${column}: ${printParseErrorCode(first.error)}`)
  }
  const list = root && (root.type === 'array' ? root : findNodeAtLocation(root, ['webhooks']))
  if (list?.type !== 'array') throw unreadable('there must be a list of webhooks, as {"webhooks": [ … ]}')
  requireKnownVersion(root)
  return (list.children ?? []).map((node) => {
    const { line } = placeOf(text, node.offset)
    if (node.type !== 'object') {
      return { line, values: {}, error: { column: '', message: 'must be an object such as {"integration": …}' } }
    }
    const values = getNodeValue(node) as Record<string, unknown>
    const unknown = Object.keys(values).find((name) => !(transferFields as readonly string[]).includes(name))
    if (unknown === undefined) return { line, values }
    return {
      line: lineOf(text, node, unknown),
      values,
      error: { column: unknown, message: 'is no field of a webhook' },
    }
  })
}

/** A later version may mean something else by the same fields. */
function requireKnownVersion(root: Node | undefined): void {
  const node = root?.type === 'object' ? findNodeAtLocation(root, ['version']) : undefined
  if (!node) return
  const given: unknown = getNodeValue(node)
  if (given === version) return
  throw unreadable(
    `its version is ${JSON.stringify(given)?.slice(0, 40)}, and this Sluice reads version ${version}; export it from a Sluice of this version, or take the newer one`,
  )
}

function lineOf(text: string, node: Node, field: string): number {
  return placeOf(text, findNodeAtLocation(node, [field])?.offset ?? node.offset).line
}

function placeOf(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}

function requireKnown(name: string, where: string, header: readonly string[]): void {
  if (!(transferFields as readonly string[]).includes(name)) {
    throw unreadable(
      `${where}: "${name.slice(0, 60)}" is no field of a webhook; there are ${transferFields.join(', ')}`,
    )
  }
  if (header.indexOf(name) !== header.lastIndexOf(name)) throw unreadable(`${where}: "${name}" is there twice`)
}

function unreadable(what: string, cause?: unknown): SluiceError {
  return new SluiceError('VALIDATION_FAILED', `The document cannot be read: ${what}.`, { path: 'document', cause })
}
