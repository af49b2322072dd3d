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
import type { AddressPolicy } from './addresses.ts'
import { EgressError, type EgressTls } from './errors.ts'

/** Every address of a name, in the order in which they should be tried. */
export type Resolve = (hostname: string) => Promise<readonly string[]>

export interface DialOptions {
  readonly judge: AddressPolicy
  readonly resolve: Resolve
  /** Plain http to public addresses too. */
  readonly allowHttp: boolean
  /** Deadlines of the phases in milliseconds; `connect` is for all addresses of a name together. */
  readonly deadlines: { readonly dns: number; readonly connect: number; readonly tls: number }
  /** PEM certificates that are trusted beside the system's. */
  readonly ca?: string
}

export interface Destination {
  readonly protocol: string
  /** Without brackets. */
  readonly hostname: string
  readonly port: number
}

export interface Dialled {
  readonly socket: net.Socket
  readonly address: string
  readonly phases: { readonly dns?: number; readonly connect: number; readonly tls?: number }
  readonly tls?: EgressTls
}

/** Names answer with both families; IPv4 first, because a network without IPv6 routes is the more common defect. */
export const resolveBySystem: Resolve = async (hostname) => {
  const answers = await lookup(hostname, { all: true, order: 'ipv4first' })
  return answers.map(({ address }) => address)
}

/** A name with more addresses is tried at this many of them. */
const mostAddressesTried = 4

/** @throws EgressError of class blocked, dns, connect, tls or timeout. */
export async function dial(destination: Destination, options: DialOptions): Promise<Dialled> {
  const { hostname, protocol } = destination
  const { judge, resolve, allowHttp, deadlines } = options
  const isLiteral = net.isIP(hostname) !== 0

  const dnsStart = performance.now()
  const addresses = isLiteral ? [hostname] : await resolveWithin(hostname, resolve, deadlines.dns)
  const dns = isLiteral ? undefined : performance.now() - dnsStart

  for (const address of addresses) {
    const { allowed, listed, range } = judge(address)
    if (!allowed) {
      throw new EgressError(
        'blocked',
        `${isLiteral ? hostname : `${hostname} resolves to ${address}, which`} is not a public address (${range}). If it should be reachable, an operator adds its network to EGRESS_ALLOW.`,
        { address, phases: { dns } },
      )
    }
    if (protocol !== 'https:' && !allowHttp && !listed) {
      throw new EgressError('blocked', `${hostname} must be called over https: plain http shows what it carries.`, {
        address,
        phases: { dns },
      })
    }
  }

  const connectStart = performance.now()
  const { socket, address } = await connectToFirst(destination, addresses, deadlines.connect, dns)
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
  all: readonly string[],
  deadline: number,
  dns: number | undefined,
): Promise<{ readonly socket: net.Socket; readonly address: string }> {
  const addresses = all.slice(0, mostAddressesTried)
  const start = performance.now()
  let failure: EgressError | undefined
  for (const [index, address] of addresses.entries()) {
    const left = deadline - (performance.now() - start)
    try {
      return { socket: await connectTo(address, port, Math.max(1, left / (addresses.length - index))), address }
    } catch (cause) {
      const code = codeOf(cause)
      const phases = { dns, connect: performance.now() - start }
      failure =
        code === 'TIMEOUT'
          ? new EgressError('timeout', `${hostname} (${address}) did not accept a connection in time.`, {
              address,
              phases,
            })
          : new EgressError(
              'connect',
              `${hostname} (${address}, port ${port}) ${reasons[code ?? ''] ?? `could not be reached: ${code ?? messageOf(cause)}`}.`,
              { cause, address, phases },
            )
    }
  }
  throw failure ?? new EgressError('dns', `${hostname} has no address.`)
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
  { deadlines, ca }: DialOptions,
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
      ...(ca === undefined ? {} : { ca: [...tls.rootCertificates, ca] }),
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
