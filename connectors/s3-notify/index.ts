/**
 * Puts a session and its files into the council's own S3 bucket, and then tells
 * a flow of Power Automate, or any other endpoint, where they are. The
 * notification holds no data: who reads it fetches the rest.
 */
import {
  defineConnector,
  type Json,
  presignedS3Url,
  type Request,
  type Result,
  type S3Bucket,
  type SessionEvent,
  type Status,
  s3Url,
} from 'sluice/connector'
import { final, refusal } from './answers.ts'

interface Settings {
  readonly endpoint: string
  readonly region: string
  readonly bucket: string
  readonly access_key_id: string
  readonly secret_access_key: string
  /** Before every key, such as `planning/`. */
  readonly prefix?: string
  /** Without it nobody is told. */
  readonly notify_url?: string
  readonly notify_key?: string
  readonly notify_key_header: string
  readonly message: string
  /** Whether the notification's link opens the session by itself, and for how many days; 0 for an address only. */
  readonly link_days: number
  readonly 'funnel.environment.isproduction'?: boolean
}

/** A file may have 30 MB, and a line of the council's may be slow. */
const uploadMs = 120_000
const notifyMs = 30_000
/** Sessions whose notification is remembered; each takes some 40 bytes of the state's 64 KiB. */
const remembered = 1000
const odpSchema = 'https://theopensystemslab.github.io/digital-planning-data-schemas/'

export default defineConnector<{ settings: Settings; state: { notified: Json } }>({
  validateSettings({ endpoint, notify_url, notify_key_header, link_days }, locale) {
    const german = locale.startsWith('de')
    for (const address of [endpoint, notify_url || undefined]) {
      const protocol = address === undefined ? 'https:' : URL.parse(address)?.protocol
      if (protocol === 'https:' || protocol === 'http:') continue
      throw new Error(
        german
          ? `„${address}“ ist keine Adresse. Eine Adresse beginnt mit https://.`
          : `"${address}" is no address. An address begins with https://.`,
      )
    }
    if (!/^[A-Za-z0-9-]+$/.test(notify_key_header)) {
      throw new Error(
        german
          ? 'Der Name einer Kopfzeile besteht aus Buchstaben, Ziffern und Strichen.'
          : "A header's name is made of letters, digits and dashes.",
      )
    }
    if (link_days < 0 || link_days > 7) {
      throw new Error(
        german
          ? 'Ein Link gilt 0 bis 7 Tage; länger erlaubt S3 nicht.'
          : 'A link lasts 0 to 7 days; S3 allows no more.',
      )
    }
  },

  async consume({ session, event, settings, state, request, files, log, delivery }) {
    const notified = Array.isArray(state.notified) ? (state.notified as readonly string[]) : []
    const key = `${event.id}/${event.revision}`
    if (notified.includes(key)) return { message: 'It was uploaded and told before.' }
    const listed = await files.list()
    const waiting = listed.filter(({ status }) => status === 'pending').length
    if (waiting > 0) return `${waiting} ${waiting === 1 ? 'file is' : 'files are'} still being checked.`

    const at: S3Bucket = {
      endpoint: settings.endpoint,
      region: settings.region,
      bucket: settings.bucket,
      accessKeyId: settings.access_key_id,
      secretAccessKey: settings.secret_access_key,
    }
    // The same keys in every attempt: what was there is replaced by the same.
    const folder = `${settings.prefix ?? ''}${event.id}/`
    const now = new Date()
    const put = (name: string) => presignedS3Url(at, { method: 'PUT', key: folder + name, seconds: 900, now })
    const stored = listed.filter(({ status }) => status === 'stored')
    for (const file of stored) {
      const { statusCode, response } = await request.put(await put(`files/${keyName(file.name)}`), file.id, {
        bodyType: 'file',
        headers: { 'content-type': file.type },
        timeoutMs: uploadMs,
      })
      if (statusCode !== 200) return refusal('The storage', statusCode, codeOf(response))
    }
    // Last, so that who sees it finds the files too.
    const { statusCode, response } = await request.put(await put('session.json'), session, { timeoutMs: uploadMs })
    if (statusCode !== 200) return refusal('The storage', statusCode, codeOf(response))
    log.info(`Uploaded the session and ${stored.length} ${stored.length === 1 ? 'file' : 'files'}.`)

    if (settings.notify_url) {
      const link =
        settings.link_days > 0
          ? await presignedS3Url(at, {
              method: 'GET',
              key: `${folder}session.json`,
              seconds: settings.link_days * 86_400,
              now,
            })
          : s3Url(at, `${folder}session.json`)
      const failure = await notify(request, settings, noticeOf(event, settings, link), delivery.id)
      if (failure) return failure
    }
    state.notified = [...notified, key].slice(-remembered)
    return 'success'
  },
})

/** In the words that PlanX uses, so that a council's flow for the one takes the other; `id` and `revision` beside them. */
function noticeOf(event: SessionEvent, { message, ...settings }: Settings, file: string) {
  return {
    message,
    service: event.flowName,
    environment: settings['funnel.environment.isproduction'] ? 'production' : 'staging',
    file,
    payload: event.schemaUrl?.startsWith(odpSchema) ? 'Validated ODP Schema' : 'Discretionary',
    id: event.id,
    revision: event.revision,
  }
}

async function notify(
  request: Request,
  { notify_url = '', notify_key, notify_key_header }: Settings,
  notice: object,
  deliveryId: string,
): Promise<Status | Result | undefined> {
  const { statusCode, response } = await request.post(notify_url, notice, {
    headers: { 'idempotency-key': deliveryId, ...(notify_key ? { [notify_key_header]: notify_key } : {}) },
    timeoutMs: notifyMs,
  })
  // Power Automate answers 202.
  if (statusCode >= 200 && statusCode < 300) return undefined
  if (statusCode < 400) return final(`The endpoint for notifications answered ${statusCode}. Set its final address.`)
  const { error } = (response ?? {}) as { readonly error?: { readonly message?: unknown } }
  return refusal('The endpoint for notifications', statusCode, typeof error?.message === 'string' ? error.message : '')
}

/** S3 answers a fault in XML, with a code such as `NoSuchBucket`. */
function codeOf(response: unknown): string {
  return (typeof response === 'string' && /<Code>([A-Za-z]+)<\/Code>/.exec(response)?.[1]) || ''
}

/** A session's file names are different from each other and hold no slash; two dots alone would be a folder. */
function keyName(name: string): string {
  return name.replaceAll(/[/\\]/g, '_').replace(/^\.+$/, '_')
}
