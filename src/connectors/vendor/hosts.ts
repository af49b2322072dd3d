/** Whether the network would let a request through, by manifest and settings: the rule of `egress/`. */
import { allowedHosts } from '../hosts.ts'
import type { Manifest } from '../manifest.ts'
import { serverOf } from '../remote-calls.ts'
import { isObject } from './sample.ts'

/**
 * @param settings of the sample, from which permissions may take a host.
 * @returns `host` or `host:port` of a URL that no permission names; undefined for one that may be called.
 */
export function forbiddenHost(
  manifest: Manifest,
  settings: unknown,
  { protocol, hostname, port }: URL,
): string | undefined {
  const host = port === '' ? hostname : `${hostname}:${port}`
  const withPort = `${hostname}:${port || (protocol === 'http:' ? 80 : 443)}`
  const hosts = allowedHosts(manifest, isObject(settings) ? settings : {})
  return hosts.includes(host) || hosts.includes(withPort) ? undefined : host
}

/** @returns the server of a `mailbox` or `sftp` call that no permission names; undefined for one that may be opened, and for other calls. */
export function forbiddenServer(
  manifest: Manifest,
  settings: unknown,
  kind: string,
  argument: unknown,
): string | undefined {
  const server = serverOf(kind, argument)
  if (!server) return undefined
  const hosts = allowedHosts(manifest, isObject(settings) ? settings : {})
  const named = server.isOwnPort ? [server.host, `${server.host}:${server.port}`] : [`${server.host}:${server.port}`]
  return named.some((each) => hosts.includes(each.toLowerCase())) ? undefined : named[0]
}
