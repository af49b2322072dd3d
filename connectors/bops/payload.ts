/** The Open Digital Planning document inside of a session, as BOPS takes it. Pure. */
import type { SessionFile } from 'sluice/connector'

export interface OdpPayload {
  readonly data: { readonly application?: { readonly type?: { readonly value?: unknown } } }
  readonly files?: readonly { readonly name: string }[]
  readonly metadata: { readonly id: string; readonly schema: string }
}

/**
 * @param pointer RFC 6901; '' for the whole session.
 * @returns the document, or a sentence that says what is missing.
 * @see https://github.com/theopensystemslab/digital-planning-data-schemas
 */
export function odpOf(session: unknown, pointer = ''): OdpPayload | string {
  const found = valueAt(session, pointer)
  const where = pointer === '' ? 'The session' : `What ${pointer} names in the session`
  if (!isObject(found)) return `${where} is not an Open Digital Planning document: it is no object.`
  const { data, metadata, files } = found
  if (!isObject(data)) return `${where} is not an Open Digital Planning document: it has no "data".`
  if (!isObject(metadata) || typeof metadata.id !== 'string' || typeof metadata.schema !== 'string') {
    return `${where} is not an Open Digital Planning document: its "metadata" needs "id" and "schema", by which BOPS chooses the rules.`
  }
  const isList = Array.isArray(files) && files.every((each) => isObject(each) && typeof each.name === 'string')
  if (files !== undefined && !isList) return `${where} has "files" that are no list of {"name": address, …}.`
  return found as unknown as OdpPayload
}

/** Reports of breaches go to another endpoint, where they become enforcement cases. */
export function isBreach({ data }: OdpPayload): boolean {
  return data.application?.type?.value === 'breach'
}

/**
 * Where a document is posted to.
 *
 * @param url the council's BOPS (`https://camden.bops.services`), or its whole address of applications.
 */
export function addressFor(payload: OdpPayload, url: string): string {
  const applications = applicationsAt(url)
  return isBreach(payload) ? applications.replace(/\/planning_applications$/, '/submissions') : applications
}

export function applicationsAt(url: string): string {
  const base = url.replace(/\/+$/, '')
  return base.endsWith('/planning_applications') ? base : `${base}/api/v2/planning_applications`
}

export interface Relinked {
  readonly payload: OdpPayload
  /** Files of the document that the session does not have, whose addresses stay as they are. */
  readonly unknown: number
}

/** Points the document's files to the gateway, from which BOPS fetches them with a credential of its own. */
export function relinked(
  payload: OdpPayload,
  files: readonly Pick<SessionFile, 'id' | 'name'>[],
  { gateway, session }: { readonly gateway: string; readonly session: string },
): Relinked {
  const ids = new Map(files.map(({ id, name }) => [name.normalize(), id]))
  let unknown = 0
  const changed = payload.files?.map((file) => {
    const id = ids.get(baseName(file.name).normalize())
    if (id === undefined) unknown++
    return id === undefined
      ? file
      : { ...file, name: `${gateway.replace(/\/+$/, '')}/v1/sessions/${session}/files/${id}` }
  })
  return { payload: changed ? { ...payload, files: changed } : payload, unknown }
}

/** The last part of an address's path, decoded. */
function baseName(address: string): string {
  const last = (URL.parse(address)?.pathname ?? address).split('/').at(-1) ?? ''
  try {
    return decodeURIComponent(last)
  } catch {
    return last
  }
}

function valueAt(value: unknown, pointer: string): unknown {
  let found = value
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = (found as Record<string, unknown>)[key]
  }
  return found
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
