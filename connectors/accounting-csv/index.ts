/**
 * Hands each session to the accounting: one CSV file under a number without gaps, on an SFTP server or in an S3 bucket.
 * A session that comes again is written again, under the same number, name and content.
 */
import {
  defineConnector,
  type Json,
  presignedS3Url,
  type Request,
  type Result,
  type S3Bucket,
  type Sftp,
  type Status,
} from 'sluice/connector'
import { refusal } from './answers.ts'
import { columnNames, columnsOf, type Line } from './columns.ts'
import { csvOf } from './csv.ts'
import { numberFor } from './numbers.ts'
import { type Posting, postingsOf, type Sums } from './postings.ts'

interface Settings {
  readonly target: 'sftp' | 's3'
  readonly sftp_host?: string
  readonly sftp_user?: string
  readonly sftp_password?: string
  readonly sftp_key?: string
  readonly sftp_passphrase?: string
  readonly sftp_host_key?: string
  readonly endpoint?: string
  readonly region: string
  readonly bucket?: string
  readonly access_key_id?: string
  readonly secret_access_key?: string
  /** Where the files lie: a folder of the server, or the beginning of all keys. */
  readonly folder?: string
  readonly file_prefix: string
  readonly columns: string
  readonly header: boolean
  readonly separator: 'comma' | 'semicolon' | 'tab'
  readonly amounts: 'point' | 'comma' | 'minor'
  readonly first_number: number
}

const separators = { comma: ',', semicolon: ';', tab: '\t' } as const
const uploadMs = 60_000
/** What a server says before it has taken anything. */
const surelyNothing = ['BLOCKED', 'REFUSED', 'NOT_FOUND', 'INVALID', 'TOO_LARGE']

export default defineConnector<{ settings: Settings; state: { sequence: Json; numbers: Json } }>({
  validateSettings(settings, locale) {
    const fault = faultOf(settings, locale.startsWith('de'))
    if (fault) throw new Error(fault)
  },

  async testConnection(settings, _locale, { request, sftp }) {
    if (settings.target === 's3') {
      const url = await presignedS3Url(bucketOf(settings), {
        method: 'GET',
        key: pathOf(settings, 'nothing'),
        seconds: 60,
      })
      const { statusCode, response } = await request.get(url)
      if (statusCode === 200 || (statusCode === 404 && codeOf(response) !== 'NoSuchBucket'))
        return 'The bucket is there.'
      throw new Error(`The storage answered ${statusCode}: ${codeOf(response)}.`)
    }
    await fileServer(settings, sftp).list(settings.folder || '.')
    return 'The folder is there.'
  },

  async consume({ session, event, trip, settings, state, request, sftp, store, log }) {
    const fault = faultOf(settings, false)
    if (fault) return `${fault} Nothing was written.`
    const key = `${event.id}/${event.revision}`
    const { number, isRepeated, release } = await numberFor(key, settings.first_number, state, store)
    const name = `${settings.file_prefix}${String(number).padStart(6, '0')}-${event.submittedAt.slice(0, 10)}.csv`
    const { columns } = columnsOf(settings.columns)
    const lines = linesOf(
      postingsOf(session, event.kind),
      columns.some((column) => column.key === 'purchase'),
    ).map((line): Line => ({ ...line, number, event, trip: trip?.reference ?? '', format: settings.amounts }))
    const content = csvOf(
      [
        ...(settings.header ? [columns.map(({ title }) => title)] : []),
        ...lines.map((line) => columns.map(({ cell }) => cell(line))),
      ],
      separators[settings.separator],
    )
    const failure =
      settings.target === 's3'
        ? await toBucket(request, settings, name, content)
        : await toServer(fileServer(settings, sftp), settings, name, content)
    if (failure) {
      // A number that nobody has seen goes to the next session, so there is no gap.
      if (!isRepeated) await release()
      return failure
    }
    log.info(
      `${isRepeated ? 'Wrote again' : 'Wrote'} number ${number}: ${lines.length} ${lines.length === 1 ? 'line' : 'lines'}.`,
    )
    return { returnCode: 0, message: `Number ${number}: ${name}` }
  },
})

/** One line a currency of each posting, since sums of different currencies are none. */
function linesOf(
  postings: readonly Posting[],
  withPurchase: boolean,
): readonly { readonly posting: Posting; readonly currency: string; readonly sums: Sums | undefined }[] {
  return postings.flatMap((posting) => {
    const currencies = [...posting.sums].filter(
      ([, { amount, paid, purchase }]) =>
        amount.units !== 0n || paid.units !== 0n || (withPurchase && purchase.units !== 0n),
    )
    if (currencies.length === 0) {
      const [only] = posting.sums
      return [{ posting, currency: only?.[0] ?? '', sums: only?.[1] }]
    }
    return currencies.map(([currency, sums]) => ({ posting, currency, sums }))
  })
}

function fileServer(
  { sftp_host = '', sftp_user = '', sftp_password, sftp_key, sftp_passphrase, sftp_host_key }: Settings,
  sftp: (account: {
    readonly host: string
    readonly user: string
    readonly password?: string
    readonly privateKey?: string
    readonly passphrase?: string
    readonly hostKey?: string
  }) => Sftp,
): Sftp {
  return sftp({
    host: sftp_host,
    user: sftp_user,
    ...(sftp_key
      ? { privateKey: sftp_key, ...(sftp_passphrase ? { passphrase: sftp_passphrase } : {}) }
      : sftp_password
        ? { password: sftp_password }
        : {}),
    ...(sftp_host_key ? { hostKey: sftp_host_key } : {}),
  })
}

/** @returns why nothing was written; it throws when that is not sure. */
async function toServer(server: Sftp, settings: Settings, name: string, content: string): Promise<string | undefined> {
  try {
    await server.put(pathOf(settings, name), content)
    return undefined
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message: string }
    if (surelyNothing.includes(code ?? '')) return message
    throw error
  }
}

async function toBucket(
  request: Request,
  settings: Settings,
  name: string,
  content: string,
): Promise<Status | Result | undefined> {
  const url = await presignedS3Url(bucketOf(settings), {
    method: 'PUT',
    key: pathOf(settings, name),
    seconds: 900,
  })
  const { statusCode, response } = await request.put(url, content, {
    headers: { 'content-type': 'text/csv; charset=utf-8' },
    timeoutMs: uploadMs,
  })
  return statusCode === 200 ? undefined : refusal('The storage', statusCode, codeOf(response))
}

function bucketOf({
  endpoint = '',
  region,
  bucket = '',
  access_key_id = '',
  secret_access_key = '',
}: Settings): S3Bucket {
  return { endpoint, region, bucket, accessKeyId: access_key_id, secretAccessKey: secret_access_key }
}

function pathOf({ folder = '' }: Settings, name: string): string {
  return folder === '' || folder.endsWith('/') ? `${folder}${name}` : `${folder}/${name}`
}

/** S3 answers a fault in XML, with a code such as `NoSuchBucket`. */
function codeOf(response: unknown): string {
  return (typeof response === 'string' && /<Code>([A-Za-z]+)<\/Code>/.exec(response)?.[1]) || ''
}

function faultOf(settings: Settings, german: boolean): string | undefined {
  const say = (english: string, deutsch: string) => (german ? deutsch : english)
  const needed: readonly (keyof Settings)[] =
    settings.target === 's3'
      ? ['endpoint', 'bucket', 'access_key_id', 'secret_access_key']
      : ['sftp_host', 'sftp_user', 'sftp_host_key']
  const missing = needed.filter((key) => !settings[key])
  if (missing.length > 0) {
    return say(
      `${settings.target === 's3' ? 'S3' : 'SFTP'} needs ${missing.join(', ')}.`,
      `${settings.target === 's3' ? 'S3' : 'SFTP'} braucht ${missing.join(', ')}.`,
    )
  }
  if (settings.target === 'sftp' && !settings.sftp_password === !settings.sftp_key) {
    return say('SFTP needs either sftp_password or sftp_key.', 'SFTP braucht entweder sftp_password oder sftp_key.')
  }
  if (settings.target === 's3' && !/^https?:\/\//.test(settings.endpoint ?? '')) {
    return say('An address of S3 begins with https://.', 'Eine Adresse von S3 beginnt mit https://.')
  }
  if (settings.target === 'sftp' && !/^(SHA256:[A-Za-z0-9+/]{43}=?[\s,]*)+$/.test(settings.sftp_host_key ?? '')) {
    return say(
      'The fingerprint of a server is written SHA256:… as ssh-keygen -lf prints it.',
      'Der Fingerabdruck eines Servers wird SHA256:… geschrieben, wie ssh-keygen -lf ihn zeigt.',
    )
  }
  const { columns, unknown } = columnsOf(settings.columns)
  if (unknown.length > 0 || columns.length === 0) {
    return say(
      `There are these columns: ${columnNames.join(', ')}.${unknown.length > 0 ? ` Not: ${unknown.join(', ')}.` : ''}`,
      `Es gibt diese Spalten: ${columnNames.join(', ')}.${unknown.length > 0 ? ` Nicht: ${unknown.join(', ')}.` : ''}`,
    )
  }
  if (!/^[A-Za-z0-9._-]{0,40}$/.test(settings.file_prefix)) {
    return say(
      'A file name begins with letters, digits and ._- only.',
      'Ein Dateiname beginnt nur mit Buchstaben, Ziffern und ._-.',
    )
  }
  if (settings.first_number < 1) {
    return say('The first number is 1 or more.', 'Die erste Nummer ist 1 oder mehr.')
  }
  return undefined
}
