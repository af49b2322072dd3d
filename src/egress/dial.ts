/**
 * Opens a connection to a checked address. The name is resolved once, every
 * answer is judged, and exactly a judged address is dialled: a name that answers
 * differently a moment later (DNS rebinding) gains nothing. Names and literal
 * addresses take the same way.
 */
import { lookup } from 'node:dns/promises'
import net from 'node:net'
import tls from 'node:tls'
import { messageOf } from '../errors.ts'
import {
  type AddressFinding,
  type AddressRules,
  type Destination,
  isLocalName,
  judgeAddresses,
  refusalInPublic,
} from './destination.ts'
import { EgressError, type EgressTls } from './errors.ts'
import { type ForwardProxy, openTunnel } from './proxy.ts'

/** Every address of a name, in the order in which they should be tried. */
export type Resolve = (hostname: string) => Promise<readonly string[]>

export interface DialOptions extends AddressRules {
  readonly resolve: Resolve
  /** The operator named networks that are not public. Without any, names of private networks are not even looked up. */
  readonly hasList: boolean
  /** Deadlines of the phases in milliseconds; `connect` is for all addresses of a name together. */
  readonly deadlines: { readonly dns: number; readonly connect: number; readonly tls: number }
  /** Whose certificates are trusted. */
  readonly secureContext: tls.SecureContext
  readonly proxy: ForwardProxy | undefined
}

export interface Dialled {
  readonly socket: net.Socket
  /** Empty when a forward proxy resolved the name. */
  readonly address: string
  readonly phases: { readonly dns?: number; readonly connect: number; readonly tls?: number }
  readonly tls?: EgressTls
}

/** What was found out about a host, and which way it takes. */
export interface Vetted {
  /** Empty when the forward proxy resolves the name. */
  readonly findings: readonly AddressFinding[]
  readonly way: 'direct' | 'proxy'
  /** Milliseconds; absent for a literal address. */
  readonly dns?: number
}

/** Names answer with both families; IPv4 first, because a network without IPv6 routes is the more common defect. */
export const resolveBySystem: Resolve = async (hostname) => {
  const answers = await lookup(hostname, { all: true, order: 'ipv4first' })
  return answers.map(({ address }) => address)
}

/** A name with more addresses is tried at this many of them. */
const mostAddressesTried = 4

/**
 * Resolves and judges, without refusing: that is `refusalAmong`'s.
 *
 * @throws EgressError `dns` or `timeout`, and `blocked` for a name that is not looked up at all.
 */
export async function vet(destination: Destination, options: DialOptions): Promise<Vetted> {
  const { hostname } = destination
  const { proxy, resolve, deadlines } = options
  const isLiteral = net.isIP(hostname) !== 0
  const staysUnresolved = isLocalName(hostname) ? !options.hasList : !isLiteral && proxy?.resolves
  if (staysUnresolved) {
    const refusal = refusalInPublic(destination, options.allowHttp)
    if (refusal !== undefined) throw new EgressError('blocked', refusal)
    return { findings: [], way: 'proxy' }
  }

  const start = performance.now()
  const addresses = isLiteral ? [hostname] : await resolveWithin(hostname, resolve, deadlines.dns)
  const dns = isLiteral ? undefined : performance.now() - start
  const findings = judgeAddresses(destination, addresses, options)
  // The operator's own networks are on this side of the proxy.
  const way = proxy && !findings.every(({ listed }) => listed) ? 'proxy' : 'direct'
  return { findings, way, ...(dns === undefined ? {} : { dns }) }
}

export function refusalAmong({ findings, dns }: Vetted): EgressError | undefined {
  const refused = findings.find(({ refusal }) => refusal !== undefined)
  if (!refused?.refusal) return undefined
  return new EgressError('blocked', refused.refusal, { address: refused.address, phases: { dns } })
}

/** @throws EgressError of class blocked, dns, connect, tls or timeout. */
export async function dial(destination: Destination, options: DialOptions): Promise<Dialled> {
  const { hostname, protocol } = destination
  const vetted = await vet(destination, options)
  const refusal = refusalAmong(vetted)
  if (refusal) throw refusal
  const { dns } = vetted

  const connectStart = performance.now()
  const { socket, address } = await connectToFirst(destination, vetted, options)
  const connect = performance.now() - connectStart
  if (protocol !== 'https:') return { socket, address, phases: { dns, connect } }

  const tlsStart = performance.now()
  const secured = await secure(socket, hostname, options, { address, phases: { dns, connect } })
  const phases = { dns, connect, tls: performance.now() - tlsStart }
  return { socket: secured, address, phases, tls: tlsFactsOf(secured) }
}

async function resolveWithin(hostname: string, resolve: Resolve, deadline: number): Promise<readonly string[]> {
  const start = performance.now()
  const spent = () => ({ dns: performance.now() - start })
  const timer = Promise.withResolvers<never>()
  const timeout = setTimeout(() => {
    timer.reject(
      new EgressError('timeout', `The name ${hostname} was not resolved within ${deadline} ms.`, { phases: spent() }),
    )
  }, deadline)
  try {
    const addresses = await Promise.race([resolve(hostname), timer.promise])
    if (addresses.length === 0) throw new EgressError('dns', `${hostname} has no address.`, { phases: spent() })
    return addresses
  } catch (cause) {
    if (cause instanceof EgressError) throw cause
    const code = codeOf(cause)
    const reason = code === 'ENOTFOUND' ? 'there is no such name' : (code ?? messageOf(cause))
    throw new EgressError('dns', `The name ${hostname} could not be resolved: ${reason}.`, { cause, phases: spent() })
  } finally {
    clearTimeout(timeout)
  }
}

/** Tries the addresses one after the other; each gets its share of the time that is left. */
async function connectToFirst(
  { hostname, port }: Destination,
  { findings, way, dns }: Vetted,
  { deadlines, judge, proxy, secureContext }: DialOptions,
): Promise<{ readonly socket: net.Socket; readonly address: string }> {
  const tunnel = way === 'proxy' ? proxy : undefined
  const known = findings.map(({ address }) => address).slice(0, mostAddressesTried)
  const addresses = known.length === 0 ? [''] : known
  const start = performance.now()
  let failure: EgressError | undefined
  for (const [index, address] of addresses.entries()) {
    const left = deadlines.connect - (performance.now() - start)
    const deadline = Math.max(1, Math.floor(left / (addresses.length - index)))
    try {
      const socket = tunnel
        ? await openTunnel(tunnel, { host: address || hostname, port, deadline, secureContext })
        : await connectTo(address, port, deadline)
      // Exactly the judged address is dialled; should that ever be wrong, it ends here.
      if (!tunnel && !judge(socket.remoteAddress ?? '').allowed) {
        socket.destroy()
        throw new EgressError('blocked', `${hostname} led to an address that was not checked.`)
      }
      return { socket, address }
    } catch (cause) {
      failure = connectFailure(cause, `${hostname} (${address}, port ${port})`, address, {
        dns,
        connect: performance.now() - start,
      })
      if (failure.errorClass === 'blocked') throw failure
    }
  }
  throw failure ?? new EgressError('dns', `${hostname} has no address.`)
}

function connectFailure(cause: unknown, who: string, address: string, phases: EgressError['phases']): EgressError {
  const code = codeOf(cause)
  const known = { cause, phases, ...(address ? { address } : {}) }
  if (cause instanceof EgressError) return new EgressError(cause.errorClass, cause.message, known)
  if (code === 'TIMEOUT') return new EgressError('timeout', `${who} did not accept a connection in time.`, known)
  const reason = reasons[code ?? ''] ?? `could not be reached: ${code ?? messageOf(cause)}`
  return new EgressError('connect', `${who} ${reason}.`, known)
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused the connection',
  ECONNRESET: 'closed the connection at once',
  EHOSTUNREACH: 'could not be reached: there is no route to it',
  ENETUNREACH: 'could not be reached: there is no route to its network',
}

function connectTo(address: string, port: number, deadline: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: address, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 })
    const timeout = setTimeout(
      () => socket.destroy(Object.assign(new Error('too slow'), { code: 'TIMEOUT' })),
      deadline,
    )
    socket.once('connect', () => {
      clearTimeout(timeout)
      resolve(socket)
    })
    // Stays for the life of the socket: one that breaks before its user listens must not end the process.
    socket.on('error', (error) => {
      clearTimeout(timeout)
      reject(error)
    })
  })
}

function secure(
  socket: net.Socket,
  hostname: string,
  { deadlines, secureContext }: DialOptions,
  known: { readonly address: string; readonly phases: { readonly dns?: number; readonly connect: number } },
): Promise<tls.TLSSocket> {
  const start = performance.now()
  const isName = net.isIP(hostname) === 0
  return new Promise((resolve, reject) => {
    const secured = tls.connect({
      socket,
      host: hostname,
      ...(isName ? { servername: hostname } : {}),
      ALPNProtocols: ['http/1.1'],
      secureContext,
    })
    const timeout = setTimeout(
      () => secured.destroy(Object.assign(new Error('too slow'), { code: 'TIMEOUT' })),
      deadlines.tls,
    )
    // Read before the certificate is judged, so that a refused one can be shown.
    let facts: EgressTls | undefined
    secured.prependOnceListener('secure', () => {
      facts = tlsFactsOf(secured)
    })
    secured.once('secureConnect', () => {
      clearTimeout(timeout)
      resolve(secured)
    })
    secured.on('error', (cause) => {
      clearTimeout(timeout)
      socket.destroy()
      const phases = { ...known.phases, tls: performance.now() - start }
      reject(
        codeOf(cause) === 'TIMEOUT'
          ? new EgressError('timeout', `${hostname} did not finish the TLS handshake within ${deadlines.tls} ms.`, {
              address: known.address,
              phases,
            })
          : new EgressError('tls', `No secure connection to ${hostname}: ${messageOf(cause)}.`, {
              cause,
              address: known.address,
              phases,
              tls: facts,
            }),
      )
    })
  })
}

/** Undefined for a socket that has ended. */
function tlsFactsOf(socket: tls.TLSSocket): EgressTls | undefined {
  const certificate = socket.getPeerX509Certificate()
  const protocol = socket.getProtocol()
  if (!certificate || !protocol) return undefined
  return {
    protocol,
    cipher: socket.getCipher().standardName,
    subject: onOneLine(certificate.subject),
    issuer: onOneLine(certificate.issuer),
    valid_to: certificate.validToDate.toISOString(),
  }
}

/** Node writes a name with one attribute a line. The other side chose the text, so it is bounded. */
const onOneLine = (name: string | undefined) => (name ?? '').replaceAll('\n', ', ').slice(0, 500)

export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : undefined
}
