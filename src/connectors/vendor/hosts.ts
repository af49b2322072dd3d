/** Whether the network would let a request through, by the manifest alone: the rule of `egress/`. */
import { allowedHosts, type Manifest } from '../manifest.ts'

/** @returns `host` or `host:port` of a URL that no permission names; undefined for one that may be called. */
export function forbiddenHost(manifest: Manifest, { protocol, hostname, port }: URL): string | undefined {
  const host = port === '' ? hostname : `${hostname}:${port}`
  const withPort = `${hostname}:${port || (protocol === 'http:' ? 80 : 443)}`
  const hosts = allowedHosts(manifest).map((each) => each.toLowerCase())
  return hosts.includes(host) || hosts.includes(withPort) ? undefined : host
}
