/**
 * The way out of a dry run: nothing leaves. Requests are answered from
 * fixtures, a mail counts as sent; what would have gone out is kept for the
 * answer to whoever asked, never in a table.
 */
import { z } from 'zod'
import { type Egress, EgressError, type EgressRequest, type EgressResponse } from '../egress/egress.ts'
import type { Mail, Mailer } from '../egress/mail.ts'
import { SluiceError } from '../errors.ts'
import type { RemoteDoors } from './remote-calls.ts'

const fixture = z.strictObject({
  method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']).optional(),
  url: z.string().min(1).max(2000),
  status: z.int().min(100).max(599).default(200),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.json().optional(),
})

/** An answer that was recorded, or made up. A `url` that ends in `*` answers every address that begins like it. */
export type Fixture = z.output<typeof fixture>

/** What a dry run would have sent. */
export interface Withheld {
  readonly kind: 'request' | 'mail' | 'mailbox' | 'sftp'
  readonly method: string | null
  /** URL, the recipients of a mail, or what was to be done on a server. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  /** The start of it, as text; null for none, or for a stream. */
  readonly body: string | null
}

/** Bytes of one body that are shown. */
const shownBytes = 64 * 1024
const mostWithheld = 200

/** @throws SluiceError VALIDATION_FAILED that names the fixture. */
export function parseFixtures(given: unknown): readonly Fixture[] {
  const parsed = z
    .array(fixture)
    .max(200)
    .safeParse(given ?? [])
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new SluiceError(
    'VALIDATION_FAILED',
    `fixtures.${issue?.path.join('.')}: ${issue?.message}. Write a list such as [{"method": "POST", "url": "https://api.example.org/*", "status": 201, "body": {"id": 1}}].`,
    { path: 'fixtures' },
  )
}

/** @param withheld gets what would have been sent. */
export function dryEgress(fixtures: readonly Fixture[], withheld: Withheld[]): Egress {
  return {
    async request(request) {
      const url = URL.parse(String(request.url))
      const method = request.method ?? 'GET'
      if (!url || !isAllowed(url, request.allowedHosts)) {
        throw new EgressError('blocked', `${url?.host ?? 'This address'} is not among the hosts that may be called.`)
      }
      keep(withheld, {
        kind: 'request',
        method,
        target: url.href,
        headers: { ...request.headers },
        body: textOf(request),
      })
      const found = fixtures.find((each) => (each.method ?? method) === method && isMeant(each.url, url.href))
      if (!found) {
        throw new EgressError(
          'blocked',
          `This is a dry run, and no fixture answers ${method} ${url.origin}${url.pathname}. Nothing was sent.`,
        )
      }
      return answerOf(found)
    },
    async connect({ host }) {
      throw new EgressError('blocked', `This is a dry run: ${host} is not called.`)
    },
    explain: async () => ({ way: 'refused', reason: 'This is a dry run.', findings: [] }),
    close: async () => undefined,
  }
}

export function dryMailer(withheld: Withheld[]): Mailer {
  return {
    async send({ to, subject, text, messageId = '<dry-run@sluice.invalid>' }: Mail) {
      keep(withheld, {
        kind: 'mail',
        method: null,
        target: [to].flat().join(', '),
        headers: { subject },
        body: text.slice(0, shownBytes),
      })
      return { messageId, accepted: [to].flat(), response: '250 withheld' }
    },
    close: async () => undefined,
  }
}

/** Nothing is connected. What would have changed a server is kept and counts as done; what would have been read is not there. */
export function dryDoors(withheld: Withheld[]): RemoteDoors {
  const nothing = async (): Promise<never> => {
    throw new EgressError('blocked', 'This is a dry run: no server is read.')
  }
  return {
    async mailbox({ host, folder = 'INBOX' }) {
      const change = (what: string) =>
        keep(withheld, {
          kind: 'mailbox',
          method: null,
          target: `${what} in ${host}/${folder}`,
          headers: {},
          body: null,
        })
      return {
        list: nothing,
        fetch: nothing,
        mark: async (uid, flag) => change(`mark ${uid} ${flag}`),
        move: async (uid, to) => change(`move ${uid} to ${to}`),
        close: () => undefined,
      }
    },
    async sftp({ host }) {
      const change = (what: string, body: string | null) =>
        keep(withheld, { kind: 'sftp', method: null, target: `${what} on ${host}`, headers: {}, body })
      return {
        list: nothing,
        get: nothing,
        put: async (path, content) =>
          change(`put ${path}`, Buffer.isBuffer(content) ? content.subarray(0, shownBytes).toString('utf8') : null),
        rename: async (from, to) => change(`rename ${from} to ${to}`, null),
        remove: async (path) => change(`remove ${path}`, null),
        close: () => undefined,
      }
    },
  }
}

function keep(withheld: Withheld[], each: Withheld): void {
  if (withheld.length < mostWithheld) withheld.push(each)
}

function isAllowed(url: URL, allowed: readonly string[] | undefined): boolean {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return false
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  return allowed === undefined || allowed.includes(url.host) || allowed.includes(`${url.hostname}:${port}`)
}

function isMeant(pattern: string, url: string): boolean {
  return pattern.endsWith('*') ? url.startsWith(pattern.slice(0, -1)) : pattern === url
}

function textOf({ body }: EgressRequest): string | null {
  if (typeof body === 'string') return body.slice(0, shownBytes)
  return body instanceof Uint8Array ? Buffer.from(body).subarray(0, shownBytes).toString('utf8') : null
}

function answerOf({ status, headers, body }: Fixture): EgressResponse {
  const isText = typeof body === 'string'
  const given = Object.entries(headers).map(([name, value]): [string, string] => [name.toLowerCase(), value])
  const type: [string, string][] = body === undefined || isText ? [] : [['content-type', 'application/json']]
  return {
    status,
    headers: Object.fromEntries([...type, ...given]),
    body: Buffer.from(body === undefined ? '' : isText ? body : JSON.stringify(body)),
    truncated: false,
    address: '',
    phases: {},
  }
}
