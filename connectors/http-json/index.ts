/**
 * Sends a session as JSON to any endpoint, in the shape that the settings
 * describe. The delivery's id goes with it in a header of the endpoint's
 * choice and is the same in every attempt.
 */
import { defineConnector, type Request } from 'sluice/connector'
import { final, refusal } from './answers.ts'
import { statusesOf } from './statuses.ts'
import { filled, filledLine, placesIn, type Template, valueAt } from './template.ts'

interface Settings {
  readonly url: string
  readonly method: 'POST' | 'PUT' | 'PATCH'
  /** `Name: value`, one a line. */
  readonly headers?: string
  readonly body?: string
  readonly idempotency_header: string
  readonly timeout_seconds: number
  readonly success: string
  readonly reference_pointer?: string
  readonly authorization: 'none' | 'header' | 'basic' | 'client_credentials'
  readonly auth_name?: string
  readonly auth_secret?: string
  readonly token_url?: string
  readonly scope?: string
}

const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/

export default defineConnector<{ settings: Settings }>({
  validateSettings(settings, locale) {
    const german = locale.startsWith('de')
    const fault = faultOf(settings)
    if (fault) throw new Error(german ? fault.de : fault.en)
  },

  async consume({ session, event, trip, config, settings, request, files, delivery, log }) {
    const fault = faultOf(settings)
    if (fault) return fault.en
    const used = `${settings.body ?? ''}${settings.headers ?? ''}${settings.url}`
    const root = {
      session,
      event,
      trip,
      config,
      delivery,
      files: placesIn(used).some((place) => /\{\{\s*\/files/.test(place)) ? await files.list() : [],
    }
    const body = settings.body?.trim() ? filled(JSON.parse(settings.body) as Template, root) : session
    const headers = linesOf(settings.headers).map(([name, value]): [string, string] => [
      name,
      headerSafe(filledLine(value, root)),
    ])
    if (settings.idempotency_header) headers.push([settings.idempotency_header, delivery.id])
    const timeoutMs = settings.timeout_seconds * 1000

    const send = async () =>
      request.send({
        method: settings.method,
        url: filledLine(settings.url, root, encodeURIComponent),
        headers: Object.fromEntries([...headers, ...(await accessOf(settings, request))]),
        body,
        bodyType: 'json',
        timeoutMs,
      })
    let answer = await send()
    if (answer.statusCode === 401 && settings.authorization === 'client_credentials') {
      log.info('The token was not taken. A new one was asked for.')
      answer = await send()
    }
    const { statusCode, response } = answer
    if (statusesOf(settings.success)?.(statusCode)) {
      const reference = settings.reference_pointer ? valueAt(response, settings.reference_pointer) : undefined
      return typeof reference === 'string' || typeof reference === 'number'
        ? { message: `Reference: ${reference}` }
        : 'success'
    }
    if (statusCode < 400) {
      return final(
        `The endpoint answered ${statusCode}, which is not among the statuses of a success (${settings.success}).`,
      )
    }
    return refusal('The endpoint', statusCode)
  },
})

/** Asked for anew in every run: a token is a secret, and the state is none. */
async function accessOf(
  { authorization, auth_name = '', auth_secret = '', token_url = '', scope, timeout_seconds }: Settings,
  request: Request,
): Promise<readonly (readonly [string, string])[]> {
  const basic = () => `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${auth_name}:${auth_secret}`)))}`
  if (authorization === 'header') return [[auth_name, auth_secret]]
  if (authorization === 'basic') return [['authorization', basic()]]
  if (authorization === 'none') return []
  const { statusCode, response } = await request.post<{ access_token?: unknown } | null>(
    token_url,
    { grant_type: 'client_credentials', ...(scope ? { scope } : {}) },
    { bodyType: 'form', headers: { authorization: basic() }, timeoutMs: timeout_seconds * 1000 },
  )
  const token = response?.access_token
  if (statusCode !== 200 || typeof token !== 'string') {
    throw new Error(`The address for tokens answered ${statusCode} and gave none. Check the client's id and secret.`)
  }
  return [['authorization', `Bearer ${token}`]]
}

interface Fault {
  readonly en: string
  readonly de: string
}

/** The first thing that the manifest's rules do not find. */
function faultOf(settings: Settings): Fault | undefined {
  const host = hostPart(settings.url)
  if (host === undefined) {
    return {
      en: 'Address: it begins with https:// and a host.',
      de: 'Adresse: Sie beginnt mit https:// und einem Host.',
    }
  }
  if (placesIn(host).length > 0 || host.includes('{{')) {
    return {
      en: 'Address: places can be filled in behind the host only, so that no data chooses where it goes.',
      de: 'Adresse: Ausgefüllt wird nur hinter dem Host, damit keine Daten bestimmen, wohin sie gehen.',
    }
  }
  if (settings.body?.trim() && !isJson(settings.body)) {
    return {
      en: 'Body: it is not JSON. Places stand in quotes.',
      de: 'Inhalt: Er ist kein JSON. Stellen stehen in Anführungszeichen.',
    }
  }
  if (linesOf(settings.headers).some(([name]) => !headerName.test(name))) {
    return {
      en: 'Headers: write one on each line, such as X-Office: 12.',
      de: 'Kopfzeilen: Je Zeile eine, zum Beispiel X-Office: 12.',
    }
  }
  if (settings.idempotency_header && !headerName.test(settings.idempotency_header)) {
    return {
      en: "Header for the delivery's id: it is no header's name.",
      de: 'Kopfzeile für die Kennung: Sie ist kein Name einer Kopfzeile.',
    }
  }
  if (!statusesOf(settings.success)) {
    return { en: 'Statuses: write them like 200-299, 409.', de: 'Status: Schreiben Sie sie wie 200-299, 409.' }
  }
  if (settings.timeout_seconds < 1 || settings.timeout_seconds > 300) {
    return { en: 'Longest wait: 1 to 300 seconds.', de: 'Längstes Warten: 1 bis 300 Sekunden.' }
  }
  if (settings.authorization !== 'none' && (!settings.auth_name || !settings.auth_secret)) {
    return { en: 'Access: fill in the name and the secret.', de: 'Zugang: Füllen Sie Name und Geheimnis aus.' }
  }
  if (settings.authorization === 'header' && !headerName.test(settings.auth_name ?? '')) {
    return { en: "Access: the name is no header's name.", de: 'Zugang: Der Name ist kein Name einer Kopfzeile.' }
  }
  if (settings.authorization === 'client_credentials' && hostPart(settings.token_url ?? '') === undefined) {
    return { en: 'Access: fill in the address for tokens.', de: 'Zugang: Füllen Sie die Adresse für Tokens aus.' }
  }
  return undefined
}

/** What stands between the scheme and the path. */
function hostPart(url: string): string | undefined {
  return /^https?:\/\/([^/?#]+)/i.exec(url)?.[1]
}

function linesOf(headers = ''): readonly (readonly [string, string])[] {
  return headers
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon === -1 ? 0 : colon).trim(), line.slice(colon + 1).trim()] as const
    })
}

/** A header holds one line of Latin letters. */
function headerSafe(value: string): string {
  return value.replaceAll(/[^\u0020-\u007e\u00a0-\u00ff]+/g, ' ').trim()
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
