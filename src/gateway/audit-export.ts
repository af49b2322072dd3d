/**
 * `GET /v1/audit?format=csv|jsonl&from=&to=`: the audit log as a download, of any length, a page at a time. An admin
 * gets all of it, an editor the entries of their teams.
 */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type pg from 'pg'
import type { Audit } from '../access/audit.ts'
import { type AuditRow, readAudit } from '../access/audit-read.ts'
import type { Principal } from '../access/principal.ts'
import { reachOf } from '../access/reach.ts'
import type { Revocations } from '../access/revocations.ts'
import { SluiceError } from '../errors.ts'
import { onAccessEnd } from './access-end.ts'
import type { RestRoute } from './rest/router.ts'

export interface AuditExportOptions {
  readonly pool: pg.Pool
  readonly revocations: Revocations
  readonly audit: Audit
}

const contentTypes = { csv: 'text/csv; charset=utf-8', jsonl: 'application/jsonl; charset=utf-8' }
type Format = keyof typeof contentTypes

export function auditRoute({ pool, revocations, audit }: AuditExportOptions): RestRoute {
  return {
    method: 'GET',
    pattern: '/v1/audit',
    query: ['format', 'from', 'to'],
    produces: ['application/jsonl', 'text/csv'],
    holds: 'streams',
    entrance: 'audit',
    async handle({ request, response, query, principal, requestId, address }) {
      const teams = teamsOf(principal)
      const { format, from, to } = choices(query)
      const headers = {
        'content-type': contentTypes[format],
        'content-disposition': `attachment; filename="sluice-audit-${to.toISOString().slice(0, 10)}.${format}"`,
        'cache-control': 'private, no-store',
      }
      if (request.method === 'HEAD') return void response.writeHead(200, headers).end()
      await audit.record({
        principal,
        operation: 'export audit',
        outcome: 'granted',
        address,
        request_id: requestId,
        detail: { format, from, to },
      })
      response.writeHead(200, headers)
      await send(response, principal, revocations, pages(pool, { teams, from, to }, format))
    },
  }
}

async function send(
  response: ServerResponse,
  principal: Principal,
  revocations: Revocations,
  texts: AsyncIterable<string>,
): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  // A download that stops in the middle of a chunk is one that the client knows to be cut short.
  const stop = onAccessEnd(principal, revocations, () => response.destroy())
  try {
    for await (const text of texts) {
      if (gone.signal.aborted) return
      if (!response.write(text)) await once(response, 'drain', { signal: gone.signal }).catch(() => undefined)
    }
    response.end()
  } finally {
    stop()
  }
}

async function* pages(
  pool: pg.Pool,
  range: Parameters<typeof readAudit>[1],
  format: Format,
): AsyncGenerator<string, void, undefined> {
  if (format === 'csv') yield `${csvColumns.join(',')}\r\n`
  for await (const rows of readAudit(pool, range)) {
    if (rows.length > 0) yield rows.map(format === 'csv' ? csvLine : (row) => `${JSON.stringify(row)}\n`).join('')
  }
}

/** @throws SluiceError FORBIDDEN */
function teamsOf(principal: Principal): readonly string[] | null {
  const { role } = principal
  if (role !== 'admin' && role !== 'editor') {
    throw new SluiceError('FORBIDDEN', `The audit log is for admins and editors; your role is "${role}".`)
  }
  const { everywhere, teamIds } = reachOf(principal)
  return everywhere ? null : teamIds
}

function choices(search: URLSearchParams): { format: Format; from: Date | null; to: Date } {
  const format = search.get('format') ?? 'jsonl'
  if (format !== 'csv' && format !== 'jsonl') {
    throw new SluiceError('BAD_REQUEST', '"format" must be csv or jsonl.', { path: 'format' })
  }
  return { format, from: timeOf('from', search.get('from')), to: timeOf('to', search.get('to')) ?? new Date() }
}

function timeOf(path: 'from' | 'to', text: string | null): Date | null {
  if (!text) return null
  const time = new Date(text)
  const year = time.getUTCFullYear()
  if (!/^\d{4}-\d{2}-\d{2}/.test(text) || !(year > 0 && year < 10_000)) {
    throw new SluiceError('BAD_REQUEST', `"${path}" must be a time such as 2026-11-22 or 2026-11-22T10:00:00Z.`, {
      path,
    })
  }
  return time
}

const csvColumns = [
  'at',
  'id',
  'team_id',
  'integration_id',
  'actor_kind',
  'actor_id',
  'role',
  'operation',
  'outcome',
  'session_ids',
  'address',
  'request_id',
  'detail',
  'position',
] as const satisfies readonly (keyof AuditRow)[]

function csvLine(row: AuditRow): string {
  return `${csvColumns.map((column) => csvCell(row[column])).join(',')}\r\n`
}

/**
 * RFC 4180. A cell that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV injection).
 *
 * @internal exported for its test
 */
export function csvCell(value: unknown): string {
  const text =
    value === null || value === undefined
      ? ''
      : typeof value === 'string'
        ? value
        : Array.isArray(value)
          ? value.join(' ')
          : JSON.stringify(value)
  const safe = /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text
  return /[",\r\n;]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe
}
