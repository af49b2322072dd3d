/**
 * Reading schema.org's things, whichever syntax they came in: a property may be missing, one value or a list, a text or
 * a thing that has one. Only own properties count, so `__proto__` and `constructor` are keys like any other.
 */
import { clean } from './text.ts'

export interface Node {
  readonly [key: string]: unknown
}

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Of a list that is longer, the rest is not read. */
const mostValues = 200

/** All values of the first of these properties that has any. */
export function valuesOf(node: Node | undefined, ...names: readonly string[]): readonly unknown[] {
  for (const name of names) {
    if (!node || !Object.hasOwn(node, name)) continue
    const values = [node[name]].flat().slice(0, mostValues)
    const given = values.filter((value) => value !== null && value !== undefined && value !== '')
    if (given.length > 0) return given
  }
  return []
}

export const nodesOf = (node: Node | undefined, ...names: readonly string[]): readonly Node[] =>
  valuesOf(node, ...names).filter(isNode)

export const nodeOf = (node: Node | undefined, ...names: readonly string[]): Node | undefined =>
  nodesOf(node, ...names)[0]

/** The first text among the values: itself, a number, or the name or value of a thing. */
export function textOf(node: Node | undefined, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    for (const value of valuesOf(node, name)) {
      const text = plain(value) ?? (isNode(value) ? plain(valuesOf(value, '@value', 'name', 'value')[0]) : undefined)
      if (text !== undefined) return text
    }
  }
  return undefined
}

function plain(value: unknown): string | undefined {
  if (typeof value === 'string') return clean(value)
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : undefined
}

/** Without schema.org's address: `http://schema.org/FlightReservation` is `FlightReservation`. */
export const typesOf = (node: Node): readonly string[] =>
  valuesOf(node, '@type', 'type').flatMap((type) => (typeof type === 'string' ? [bareName(type)] : []))

/** The last part of an address, else the name as it is. */
export const bareName = (name: string): string =>
  name
    .slice(0, 200)
    .trim()
    .replace(/^(?:https?:\/\/(?:www\.)?schema\.org\/|schema:)/i, '')

/**
 * Every thing in these values, each once. A thing that only names another one (`{"@id": "#flight"}`) is replaced by
 * that one wherever it stands; so things may hold each other, and whoever walks on must not follow for ever.
 *
 * @throws Error when there are more than can be a mail's.
 */
export function linked(roots: readonly unknown[]): readonly Node[] {
  const found: Node[] = []
  const byId = new Map<string, Node>()
  const waiting: unknown[] = [...roots]
  while (waiting.length > 0) {
    const value = waiting.pop()
    if (typeof value !== 'object' || value === null) continue
    if (waiting.length > mostThings || found.length > mostThings) throw new Error(tooMany)
    if (isNode(value)) {
      found.push(value)
      const id = Object.hasOwn(value, '@id') ? value['@id'] : undefined
      if (typeof id === 'string' && Object.keys(value).length > 1 && !byId.has(id)) byId.set(id, value)
    }
    for (const child of Object.values(value)) if (typeof child === 'object') waiting.push(child)
  }
  if (byId.size > 0) for (const node of found) replaceReferences(node as Record<string, unknown>, byId)
  return found.reverse()
}

const mostThings = 20_000
const tooMany = `The markup has more than ${mostThings} parts.`

function replaceReferences(node: Record<string, unknown>, byId: ReadonlyMap<string, Node>): void {
  const target = (value: unknown) => {
    if (!isNode(value) || Object.keys(value).length !== 1 || !Object.hasOwn(value, '@id')) return value
    return byId.get(value['@id'] as string) ?? value
  }
  for (const [key, value] of Object.entries(node)) {
    if (key === '__proto__' || typeof value !== 'object' || value === null) continue
    node[key] = Array.isArray(value) ? value.map(target) : target(value)
  }
}
