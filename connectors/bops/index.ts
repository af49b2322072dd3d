/**
 * Posts a session to a council's BOPS (Back-office Planning System) as Open
 * Digital Planning JSON. BOPS answers with the application's reference and
 * fetches the files by itself, later.
 *
 * @see https://github.com/unboxed/bops, engines/bops_api
 */
import { defineConnector, type Json, type Request } from 'sluice/connector'
import { final, refusal } from './answers.ts'
import { openLedger } from './ledger.ts'
import { addressFor, applicationsAt, isBreach, odpOf, relinked } from './payload.ts'

interface Settings {
  readonly url: string
  readonly token: string
  /** JSON pointer to the document inside of the session. */
  readonly payload_pointer?: string
  /** The gateway's own address, where BOPS shall fetch files; without it the document's addresses stay. */
  readonly gateway_url?: string
  readonly when_unsure: 'ask' | 'send'
}

/** BOPS saves before it answers, which takes seconds. */
const timeoutMs = 50_000
/** Pages of 20 applications, the most that BOPS gives at once. */
const mostPages = 5
/** By which its clock may differ from ours. */
const clockToleranceMs = 10 * 60_000

export default defineConnector<{ settings: Settings; state: { sent: Json } }>({
  validateSettings({ url, gateway_url, payload_pointer = '' }, locale) {
    const german = locale.startsWith('de')
    for (const [value, label] of [
      [url, german ? 'Adresse von BOPS' : 'Address of BOPS'],
      [gateway_url, german ? 'Adresse des Gateways' : 'Address of the gateway'],
    ]) {
      const protocol = value ? URL.parse(value)?.protocol : 'https:'
      if (protocol !== 'https:' && protocol !== 'http:') {
        throw new Error(
          german ? `${label}: Eine Adresse beginnt mit https://.` : `${label}: an address begins with https://.`,
        )
      }
    }
    if (payload_pointer !== '' && !payload_pointer.startsWith('/')) {
      throw new Error(
        german
          ? 'Ein JSON-Pointer beginnt mit einem Schrägstrich, zum Beispiel /odp.'
          : 'A JSON pointer begins with a slash, such as /odp.',
      )
    }
  },

  async testConnection({ url, token }, _locale, { request }) {
    const address = `${applicationsAt(url).replace(/\/planning_applications$/, '')}/ping`
    const { statusCode } = await request.get(address, { headers: { authorization: `Bearer ${token}` } })
    if (statusCode !== 200) throw new Error(`BOPS answered ${statusCode} to ${new URL(address).pathname}.`)
    return 'BOPS answered and knows the token.'
  },

  async consume({ session, event, settings, state, request, files, store, log }) {
    const found = odpOf(session, settings.payload_pointer)
    if (typeof found === 'string') return final(found)
    const ledger = await openLedger(`${event.id}/${event.revision}`, state, store)
    if (ledger.sent !== undefined) return { message: `BOPS has it already: ${ledger.sent}` }
    const authorization = `Bearer ${settings.token}`

    if (ledger.unsure !== undefined && settings.when_unsure !== 'send') {
      const applications = applicationsAt(settings.url)
      const query = { applications, authorization, id: found.metadata.id, since: ledger.unsure }
      const there = isBreach(found) ? undefined : await findSent(request, query)
      if (there === undefined) return final(unsure)
      if (there !== null) {
        ledger.succeed(there)
        log.info('An earlier attempt had arrived.')
        return { message: `BOPS has it already: ${there}` }
      }
    }

    let body = found
    if (settings.gateway_url) {
      const links = relinked(found, await files.list(), { gateway: settings.gateway_url, session: event.id })
      body = links.payload
      if (links.unknown > 0) log.warn(`${links.unknown} files of the document are not among the files of the session.`)
    }
    await ledger.begin(new Date().toISOString())
    const { statusCode, response } = await request.post(addressFor(body, settings.url), body, {
      headers: { authorization, 'x-request-id': event.id },
      timeoutMs,
    })
    const id = idOf(response)
    if ((statusCode === 200 || statusCode === 201) && id !== undefined) {
      ledger.succeed(id)
      return { message: `BOPS reference: ${id}` }
    }
    if (statusCode < 300) {
      return final(`BOPS answered ${statusCode} without a reference. Look there whether the application has arrived.`)
    }
    if (statusCode < 500) await ledger.refuse()
    return refusal('BOPS', statusCode, detailOf(response))
  },
})

const unsure =
  'BOPS may have received this session, but its answer was lost and it cannot be asked. Look there; if it is missing, set "when_unsure" to "send" and deliver it again.'

interface Sought {
  readonly applications: string
  readonly authorization: string
  /** `metadata.id` of the document. */
  readonly id: string
  /** ISO 8601. */
  readonly since: string
}

/**
 * Looks through the newest applications for one that was made of this document.
 *
 * @returns its reference, null when there is none, undefined when that cannot be told.
 */
async function findSent(
  request: Request,
  { applications, authorization, id, since }: Sought,
): Promise<string | null | undefined> {
  const options = { headers: { authorization } }
  for (let page = 1; page <= mostPages; page++) {
    const { statusCode, response } = await request.get<{ data?: Application[] }>(
      `${applications}?page=${page}&maxresults=20`,
      options,
    )
    if (statusCode >= 500) throw new Error(`BOPS answered ${statusCode} to a question. It is tried again.`)
    if (statusCode !== 200 || !Array.isArray(response?.data)) return undefined
    for (const { reference, created_at, createdAt = created_at } of response.data) {
      if (Date.parse(createdAt ?? '') < Date.parse(since) - clockToleranceMs) return null
      const answer = await request.get<{ submission?: { metadata?: { id?: unknown } } }>(
        `${applications}/${encodeURIComponent(reference)}/submission`,
        options,
      )
      if (answer.statusCode === 200 && answer.response?.submission?.metadata?.id === id) return reference
    }
    if (response.data.length < 20) return null
  }
  return undefined
}

interface Application {
  readonly reference: string
  readonly created_at?: string
  readonly createdAt?: string
}

/** Applications are answered with `id`, submissions with `uuid`. */
function idOf(response: unknown): string | undefined {
  const { id, uuid } = (response ?? {}) as { readonly id?: unknown; readonly uuid?: unknown }
  const given = id ?? uuid
  return typeof given === 'string' || typeof given === 'number' ? String(given) : undefined
}

/** `{error: {code, message, detail}}` */
function detailOf(response: unknown): string {
  const { error } = (response ?? {}) as { readonly error?: { readonly message?: unknown; readonly detail?: unknown } }
  return [error?.message, error?.detail].filter((each) => typeof each === 'string').join(', ')
}
