/**
 * Which hosts a connector may call: those that its manifest names, and the one
 * that a connection's own setting names where the manifest says which setting
 * that is. Nothing else counts: no secret, no state, no data of a session.
 */
import { isIP } from 'node:net'
import { type AddressPolicy, createAddressPolicy } from '../egress/addresses.ts'
import { destinationOf, judgeAddresses, readUrl, refusalInPublic } from '../egress/destination.ts'
import { type Resolve, resolveBySystem } from '../egress/dial.ts'
import type { Manifest } from './manifest.ts'

type HostRules = Pick<Manifest, 'permissions' | 'settings'>
type Values = Readonly<Record<string, unknown>>

/**
 * Hosts that a run may call, as `host` (the default ports of https and http) or `host:port`.
 *
 * @param values of the settings, defaults filled in; secrets are not needed.
 * @example allowedHosts(manifest, { url: 'https://camden.bops.services/api/v2' }) // ['camden.bops.services']
 */
export function allowedHosts(rules: HostRules, values: Values): readonly string[] {
  const fixed = rules.permissions.flatMap((each) => (typeof each === 'object' && 'socket' in each ? [each.socket] : []))
  const named = settingsThatNameHosts(rules).flatMap(({ key }) => {
    const found = Object.hasOwn(values, key) ? hostIn(values[key]) : undefined
    return found && 'host' in found ? [found.host] : []
  })
  return [...new Set([...fixed, ...named])]
}

/** Settings whose values name hosts, by the permissions. Only STRING ones can. */
export function settingsThatNameHosts({ permissions, settings }: HostRules): Manifest['settings'] {
  const keys = permissions.flatMap((each) => (typeof each === 'object' && 'setting' in each ? [each.setting] : []))
  return settings.filter(({ key, type }) => type === 'STRING' && keys.includes(key))
}

export type NamedHost = { readonly host: string; readonly url: URL } | { readonly fault: string }

/**
 * The host that a value names: an https or http address, whose path does not matter, or `host` or `host:port`.
 *
 * @returns what is wrong otherwise, to follow the setting's name.
 */
export function hostIn(value: unknown): NamedHost {
  const text = typeof value === 'string' ? value : ''
  const isAddress = /^https?:\/\//i.test(text)
  const url = isAddress || isSocket(text) ? URL.parse(isAddress ? text : `https://${text}`) : null
  if (url && (url.username || url.password)) {
    return { fault: 'must not hold a user name or password, because people see it. Use a setting of its own for them' }
  }
  if (!url || !isReadable(url)) {
    return {
      fault: text
        .replace(/^https?:\/\//i, '')
        .split(/[/?#]/)[0]
        ?.includes('*')
        ? 'must name one host. There are no wildcards'
        : 'must name a host: write an address such as https://office.example/path, or office.example or office.example:8443 without a path',
    }
  }
  const port = isAddress ? url.port : text.split(':')[1]
  return { host: port ? `${url.hostname}:${port}` : url.hostname, url }
}

/** Whether a text is `host` or `host:port`, and nothing more. */
export function isSocket(value: string): boolean {
  const [name = '', port, ...rest] = value.split(':')
  if (rest.length > 0 || !hostName.test(name) || name.length > 253) return false
  return port === undefined || (/^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535)
}

const hostName = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i

function isReadable(url: URL): boolean {
  try {
    readUrl(url)
    return true
  } catch {
    return false
  }
}

/** What the operator lets be called. The last word is spoken when a host is dialled, by `egress/`. */
export interface ReachRules {
  /** Networks that may be called although they are not public (`EGRESS_ALLOW`); plain http is possible there. @default none */
  readonly allow?: readonly string[]
  /** Networks that may never be called (`EGRESS_DENY`). @default none */
  readonly deny?: readonly string[]
  readonly resolve?: Resolve
}

/** @returns why no connector may call what a setting names; undefined when it may, or a name is not known yet. */
export async function refusalOf(
  url: URL,
  { allow = [], deny = [], resolve = resolveBySystem }: ReachRules,
): Promise<string | undefined> {
  const judge = createAddressPolicy(allow, deny)
  const destination = destinationOf(url)
  const { hostname } = destination
  if (isIP(hostname) !== 0) return judgeAddresses(destination, [hostname], { judge, allowHttp: false })[0]?.refusal
  const refusal = refusalInPublic(destination, false)
  return refusal && !(await isListed(hostname, judge, resolve)) ? refusal : undefined
}

async function isListed(hostname: string, judge: AddressPolicy, resolve: Resolve): Promise<boolean> {
  const addresses = await resolve(hostname).catch(() => [])
  return addresses.length > 0 && addresses.every((address) => judge(address).listed)
}
