/**
 * The two phases of a data hub. Phase one asks the hub to export what has changed, and gets ids of exports that are not
 * ready yet. The hub posts each of them, signed, when it is; then it is matched with its id and converted.
 */
import { defineConnector } from 'sluice/connector'
import { bookingOf, exportIn } from './booking.ts'
import { checkSignature } from './signature.ts'

type Settings = {
  readonly url: string
  readonly token: string
  readonly agency: string
  readonly signing_secret: string
  readonly include_passport_data?: boolean
  readonly include_non_travel_data?: boolean
}

interface Answer {
  /** Ids of exports that the hub will post. */
  readonly exports?: readonly string[]
  /** Where the next request begins. */
  readonly cursor?: string
  readonly more?: boolean
}

export default defineConnector<{ settings: Settings; state: { cursor: string } }>({
  validateSettings({ url }, locale) {
    const address = URL.parse(url)
    if (address?.protocol === 'https:' || address?.protocol === 'http:') return
    throw new Error(
      locale.startsWith('de')
        ? 'Adresse: Eine Adresse beginnt mit https://.'
        : 'Address: an address begins with https://.',
    )
  },

  async testConnection({ url, token, agency }, locale, { request }) {
    const place = `${base(url)}/agencies/${encodeURIComponent(agency)}`
    const { statusCode } = await request.get(place, { headers: { authorization: `Bearer ${token}` } })
    if (statusCode === 200) return locale.startsWith('de') ? 'Der Hub kennt die Agentur.' : 'The hub knows the agency.'
    throw new Error(`The hub answered ${statusCode}.`)
  },

  async getRawSources({ settings: { url, token, agency }, state, delivery, request }) {
    const since = state.cursor ?? null
    // A worker that dies here leaves the cursor where it was: the hub is asked again, and ids that are known are not taken twice.
    const { statusCode, response } = await request.post<Answer>(
      `${base(url)}/exports`,
      { agency, since },
      { headers: { authorization: `Bearer ${token}`, 'idempotency-key': delivery.id } },
    )
    if (statusCode !== 200 && statusCode !== 202)
      throw new Error(`The hub answered ${statusCode} to the request for exports.`)
    const { exports = [], cursor, more = false } = response ?? {}
    if (!Array.isArray(exports) || !exports.every((id) => typeof id === 'string')) {
      throw new Error('The hub answered something else than a list of exports.')
    }
    const goesOn = more && cursor !== undefined && cursor !== since
    if (cursor !== undefined) state.cursor = cursor
    return { sources: exports, more: goesOn }
  },

  validatePayload: (source, headers, { settings }) =>
    checkSignature(source, headers['x-hub-signature'], settings.signing_secret),

  getExternalId: (source) => exportIn(source).export,

  getAccountMetadata: (source) => ({ settingItemKey: 'agency', settingItemValue: exportIn(source).agency }),

  extractMetadata(source) {
    const { reference, changed, travellers = [] } = exportIn(source)
    return {
      createdAt: changed ?? null,
      mimeType: 'application/json',
      description: `Booking ${reference}`,
      participants: travellers.map(({ last }) => last).join(', '),
    }
  },

  async convertRawSource(source, { settings }) {
    const found = exportIn(source)
    return { booking: await bookingOf(found, settings), key: found.reference }
  },
})

function base(url: string): string {
  return url.replace(/\/+$/, '')
}
