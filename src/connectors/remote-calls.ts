/**
 * `mailbox` and `sftp` of a run: each call is checked against the manifest, done over a connection that stays open
 * until the run ends, and noted. What is bounded and what a server may do is `egress/`'s matter.
 */
import { z } from 'zod'
import { type Egress, EgressError } from '../egress/egress.ts'
import { imapPort, type MailboxAccount, type MailboxSession, openMailbox } from '../egress/mailbox.ts'
import { type RefusalKind, type RemoteAccess, RemoteRefusal } from '../egress/remote.ts'
import { mostFileBytes, openSftp, type SftpAccount, type SftpSession, sftpPort } from '../egress/sftp.ts'
import { archiveSchema } from './archive.ts'
import { isSocket } from './hosts.ts'
import type { RunCall } from './record.ts'
import { streamedContent } from './request-body.ts'
import type { OpenedFile } from './run-files.ts'
import { CallRefused } from './sandbox/process.ts'

/** Opens sessions; a dry run has doors of its own. */
export interface RemoteDoors {
  mailbox(account: MailboxAccount, access: Omit<RemoteAccess, 'egress'>): Promise<MailboxSession>
  sftp(account: SftpAccount, access: Omit<RemoteAccess, 'egress'>): Promise<SftpSession>
}

/** The real ones. */
export function remoteDoors(egress: Pick<Egress, 'connect'>): RemoteDoors {
  return {
    mailbox: (account, access) => openMailbox(account, { egress, ...access }),
    sftp: (account, access) => openSftp(account, { egress, ...access }),
  }
}

export interface RemoteCallOptions {
  readonly doors: RemoteDoors
  /** @throws CallRefused when the manifest does not ask for it. */
  readonly require: (name: 'mailbox' | 'sftp') => void
  /** Opens a file of the session, for what is streamed to a server. */
  readonly open: (nameOrId: string) => Promise<OpenedFile>
  readonly hosts: readonly string[]
  /** When the run must be over, as `performance.now()`. */
  readonly deadline: number
  readonly signal: AbortSignal
  readonly scrub: (text: string) => string
  readonly note: (call: RunCall) => void
}

/** Servers and folders that one run may have open at the same time. */
const mostSessions = 4
const openMs = 20_000
const callMs = 30_000

const line = z
  .string()
  .min(1)
  .max(500)
  .regex(/^[^\p{Cc}]*$/u, 'must be one line')
const port = z.int().min(1).max(65_535)
const secret = z.string().min(1).max(65_536)

const mailAccount = z.strictObject({
  host: line,
  port: port.optional(),
  user: line,
  password: secret,
  folder: line.default('INBOX'),
})
const uid = z.int().min(1).max(4_294_967_295)
const keyword = z.string().regex(/^[A-Za-z0-9_-]{1,50}$/, 'must be letters, digits, _ and -')
const mailCalls = {
  'mailbox.list': z.strictObject({
    account: mailAccount,
    query: z.strictObject({
      unseen: z.boolean().optional(),
      without: keyword.optional(),
      since: z
        .union([z.iso.date(), z.iso.datetime({ offset: true })])
        .transform((text) => new Date(text))
        .optional(),
      after: z.int().min(0).max(4_294_967_295).optional(),
      limit: z.int().min(1).max(500).optional(),
    }),
  }),
  'mailbox.fetch': z.strictObject({ account: mailAccount, uid }),
  'mailbox.mark': z.strictObject({ account: mailAccount, uid, flag: keyword }),
  'mailbox.move': z.strictObject({ account: mailAccount, uid, folder: line }),
} as const

const sftpAccount = z
  .strictObject({
    host: line,
    port: port.optional(),
    user: line,
    password: secret.optional(),
    privateKey: secret.optional(),
    passphrase: secret.optional(),
    hostKey: z
      .string()
      .max(2000)
      .regex(/^\s*(SHA256:[A-Za-z0-9+/]{43}=?[\s,]*)*$/, 'must be SHA256:… as ssh-keygen -lf prints it')
      .transform((text) => text.replaceAll('=', ''))
      .optional(),
  })
  .refine(({ password, privateKey }) => (password === undefined) !== (privateKey === undefined), {
    message: 'give either password or privateKey',
  })
const remotePath = z
  .string()
  .min(1)
  .max(1000)
  .regex(/^[^\p{Cc}]*$/u, 'must be one line')
  .refine((text) => !text.split('/').includes('..'), { message: 'must not go up with ".."' })
const filePath = remotePath.refine((text) => !/(^|\/)\.?$/.test(text), { message: 'must name a file' })
const sftpCalls = {
  'sftp.put': z
    .strictObject({
      account: sftpAccount,
      path: filePath,
      base64: z
        .base64()
        .max(Math.ceil((mostFileBytes * 4) / 3) + 4)
        .optional(),
      /** Name or id of a file of the session. */
      file: z.string().max(1000).optional(),
      archive: archiveSchema.optional(),
    })
    .refine((given) => [given.base64, given.file, given.archive].filter((each) => each !== undefined).length === 1, {
      message: 'give text, bytes, { file } or { archive }',
    }),
  'sftp.list': z.strictObject({ account: sftpAccount, path: remotePath }),
  'sftp.get': z.strictObject({ account: sftpAccount, path: filePath }),
  'sftp.rename': z.strictObject({ account: sftpAccount, from: filePath, to: filePath }),
  'sftp.remove': z.strictObject({ account: sftpAccount, path: filePath }),
} as const

type Capability = (argument: unknown) => Promise<unknown>

/** By the names that the guest calls. */
export function remoteCalls(options: RemoteCallOptions): Readonly<Record<string, Capability>> {
  const { doors, hosts, deadline, signal } = options
  const access = () => ({
    allowedHosts: hosts,
    openMs: Math.max(1, Math.min(openMs, deadline - performance.now())),
    callMs,
    signal,
  })
  const mailboxes = sessions((account: MailboxAccount) => doors.mailbox(account, access()), signal)
  const servers = sessions((account: SftpAccount) => doors.sftp(account, access()), signal)

  /** One call: what it is noted as, and what it does, which returns its answer and how many bytes moved. */
  const mail = <Name extends keyof typeof mailCalls>(
    name: Name,
    place: (given: z.output<(typeof mailCalls)[Name]>) => string,
    run: (session: MailboxSession, given: z.output<(typeof mailCalls)[Name]>) => Promise<Done>,
  ): [string, Capability] => [
    name,
    (argument) => {
      options.require('mailbox')
      const given = checked(mailCalls[name], argument, name) as z.output<(typeof mailCalls)[Name]>
      const account = atPort(given.account, imapPort)
      const target = `${verbOf(name)} imap://${account.host}:${account.port}/${account.folder}${place(given)}`
      return noted(options, 'mailbox', target, () => mailboxes.using(account, (session) => run(session, given)))
    },
  ]
  const files = <Name extends keyof typeof sftpCalls>(
    name: Name,
    place: (given: z.output<(typeof sftpCalls)[Name]>) => string,
    run: (session: SftpSession, given: z.output<(typeof sftpCalls)[Name]>) => Promise<Done>,
  ): [string, Capability] => [
    name,
    (argument) => {
      options.require('sftp')
      const given = checked(sftpCalls[name], argument, name) as z.output<(typeof sftpCalls)[Name]>
      const account = atPort(given.account, sftpPort)
      const target = `${verbOf(name)} sftp://${account.host}:${account.port}/${place(given).replace(/^\//, '')}`
      return noted(options, 'sftp', target, () => servers.using(account, (session) => run(session, given)))
    },
  ]

  return Object.fromEntries([
    mail(
      'mailbox.list',
      () => '',
      async (session, { query }) => {
        const answer = await session.list(query)
        return { answer, bytes: Buffer.byteLength(JSON.stringify(answer)) }
      },
    ),
    mail(
      'mailbox.fetch',
      ({ uid }) => ` ${uid}`,
      async (session, { uid }) => {
        const raw = await session.fetch(uid)
        return { answer: { base64: raw.toString('base64') }, bytes: raw.length }
      },
    ),
    mail(
      'mailbox.mark',
      ({ uid, flag }) => ` ${uid} ${flag}`,
      async (session, { uid, flag }) => {
        await session.mark(uid, flag)
        return { answer: null, bytes: 0 }
      },
    ),
    mail(
      'mailbox.move',
      ({ uid, folder }) => ` ${uid} to ${folder}`,
      async (session, { uid, folder }) => {
        await session.move(uid, folder)
        return { answer: null, bytes: 0 }
      },
    ),
    files(
      'sftp.put',
      ({ path }) => path,
      async (session, { path, base64 = '', ...given }) => {
        const streamed = await streamedContent(given, options.open)
        if (!streamed) {
          const content = Buffer.from(base64, 'base64')
          await session.put(path, content)
          return { answer: null, bytes: content.length }
        }
        try {
          await session.put(path, { ...streamed, ms: Math.max(1, deadline - performance.now()) })
          return { answer: null, bytes: streamed.size }
        } finally {
          streamed.stream.destroy()
        }
      },
    ),
    files(
      'sftp.list',
      ({ path }) => path,
      async (session, { path }) => {
        const answer = await session.list(path)
        return { answer, bytes: Buffer.byteLength(JSON.stringify(answer)) }
      },
    ),
    files(
      'sftp.get',
      ({ path }) => path,
      async (session, { path }) => {
        const content = await session.get(path)
        return { answer: { base64: content.toString('base64') }, bytes: content.length }
      },
    ),
    files(
      'sftp.rename',
      ({ from, to }) => `${from} to ${to}`,
      async (session, { from, to }) => {
        await session.rename(from, to)
        return { answer: null, bytes: 0 }
      },
    ),
    files(
      'sftp.remove',
      ({ path }) => path,
      async (session, { path }) => {
        await session.remove(path)
        return { answer: null, bytes: 0 }
      },
    ),
  ])
}

export interface Server {
  readonly host: string
  readonly port: number
  /** It is the protocol's own, so a permission need not name it. */
  readonly isOwnPort: boolean
}

/** Which server a call means; undefined for what is no call of these. */
export function serverOf(kind: string, argument: unknown): Server | undefined {
  const own = kind.startsWith('mailbox.') ? imapPort : kind.startsWith('sftp.') ? sftpPort : undefined
  const account = (argument as { readonly account?: { readonly host?: unknown; readonly port?: unknown } } | null)
    ?.account
  if (own === undefined || typeof account?.host !== 'string') return undefined
  const at = atPort({ host: account.host, ...(typeof account.port === 'number' ? { port: account.port } : {}) }, own)
  return { host: at.host, port: at.port, isOwnPort: at.port === own }
}

interface Done {
  readonly answer: unknown
  readonly bytes: number
}

async function noted(
  { scrub, note }: RemoteCallOptions,
  kind: 'mailbox' | 'sftp',
  target: string,
  run: () => Promise<Done>,
): Promise<unknown> {
  const begun = performance.now()
  const done = (status: string, bytes = 0) =>
    note({
      kind,
      target: scrub(target).slice(0, 300),
      status,
      ms: Math.round((performance.now() - begun) * 100) / 100,
      bytes,
    })
  try {
    const { answer, bytes } = await run()
    done('done', bytes)
    return answer
  } catch (error) {
    if (error instanceof EgressError) {
      done(error.errorClass)
      const isUnnamed = error.errorClass === 'blocked' && error.message.includes('not among the hosts')
      const hint = isUnnamed ? ' Hosts are named under "permissions" in connector.json.' : ''
      throw new CallRefused(egressCodes[error.errorClass], `${error.message}${hint}`, { cause: error })
    }
    if (error instanceof RemoteRefusal) {
      done(error.kind)
      throw new CallRefused(refusalCodes[error.kind], error.message, { cause: error })
    }
    done(error instanceof CallRefused ? error.code.toLowerCase() : 'internal')
    throw error
  }
}

const egressCodes: Readonly<Record<EgressError['errorClass'], string>> = {
  blocked: 'BLOCKED',
  timeout: 'TIMEOUT',
  response_too_large: 'TOO_LARGE',
  dns: 'UNREACHABLE',
  connect: 'UNREACHABLE',
  tls: 'UNREACHABLE',
  protocol: 'UNREACHABLE',
}
const refusalCodes: Readonly<Record<RefusalKind, string>> = {
  refused: 'REFUSED',
  not_found: 'NOT_FOUND',
  too_large: 'TOO_LARGE',
  invalid: 'INVALID',
}

/** Sessions of one run by their account. One that could not be opened or that broke is opened anew at the next call. */
function sessions<Account extends object, Session extends { close(): void }>(
  open: (account: Account) => Promise<Session>,
  signal: AbortSignal,
) {
  const kept = new Map<string, Promise<Session>>()
  signal.addEventListener(
    'abort',
    () => {
      for (const session of kept.values()) session.then((each) => each.close()).catch(() => undefined)
      kept.clear()
    },
    { once: true },
  )
  const opened = (key: string, account: Account): Promise<Session> => {
    const known = kept.get(key)
    if (known) return known
    if (kept.size >= mostSessions) {
      throw new CallRefused('LIMIT', `A run has at most ${mostSessions} servers or folders open.`)
    }
    const session = open(account)
    kept.set(key, session)
    session.catch(() => kept.delete(key))
    return session
  }
  return {
    async using<Answer>(account: Account, call: (session: Session) => Promise<Answer>): Promise<Answer> {
      const key = JSON.stringify(account)
      const opening = opened(key, account)
      const session = await opening
      try {
        return await call(session)
      } catch (error) {
        if (error instanceof EgressError && kept.get(key) === opening) {
          kept.delete(key)
          session.close()
        }
        throw error
      }
    },
  }
}

/** `host` may be written `host:port`, as settings and permissions have it. */
function atPort<Account extends { readonly host: string; readonly port?: number | undefined }>(
  account: Account,
  own: number,
): Account & { readonly port: number } {
  const cut = account.host.lastIndexOf(':')
  if (cut === -1 || account.port !== undefined || !isSocket(account.host)) {
    return { ...account, port: account.port ?? own }
  }
  return { ...account, host: account.host.slice(0, cut), port: Number(account.host.slice(cut + 1)) }
}

function verbOf(name: string): string {
  return name.slice(name.indexOf('.') + 1)
}

function checked(schema: z.ZodType, argument: unknown, name: string): unknown {
  const parsed = schema.safeParse(argument)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : ''
  throw new CallRefused('INVALID', `${name} cannot be called like this: ${where}${issue?.message}.`)
}
