/**
 * ClamAV's daemon over its socket, by the command INSTREAM (clamd(8)): `zINSTREAM\0`, then chunks of a 4-byte big-endian
 * length and the bytes, ended by a length of zero; the answer is `stream: OK`, `stream: <name> FOUND` or `… ERROR`.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { messageOf, SluiceError } from '../errors.ts'
import type { Scanner, ScanResult } from './scanner.ts'

export interface ClamAvOptions {
  /** `tcp://host:3310` or `unix:/run/clamav/clamd.ctl`. */
  readonly url: string
  /** Without progress for so long, the scan is given up, in milliseconds. @default 30000 */
  readonly idleMs?: number
  /** For one scan as a whole, in milliseconds. @default 120000 */
  readonly totalMs?: number
}

/** @throws SluiceError CONFIGURATION when the address is neither of the two forms. */
export function createClamAvScanner({ url, idleMs = 30_000, totalMs = 120_000 }: ClamAvOptions): Scanner {
  const address = addressOf(url)
  return {
    async scan(stream) {
      const socket = connect(address)
      const signal = AbortSignal.timeout(totalMs)
      const give = () => socket.destroy(new Error(`it took longer than ${totalMs} ms`))
      signal.addEventListener('abort', give)
      socket.setTimeout(idleMs, () => socket.destroy(new Error(`it did not answer for ${idleMs} ms`)))
      try {
        const reply = answer(socket)
        reply.catch(() => undefined)
        // The answer may come before everything is sent, as when the stream is longer than clamd takes.
        await Promise.race([send(stream, socket), reply])
        return judged(await reply)
      } catch (cause) {
        if (cause instanceof SluiceError) throw cause
        throw new SluiceError('UNAVAILABLE', `The virus scanner cannot be reached: ${messageOf(cause)}.`, { cause })
      } finally {
        signal.removeEventListener('abort', give)
        stream.destroy()
        socket.destroy()
      }
    },
  }
}

function addressOf(url: string): { path: string } | { host: string; port: number } {
  const path = /^unix:(?:\/\/)?(\/.+)$/.exec(url)?.[1]
  if (path) return { path }
  const { protocol, hostname, port } = URL.parse(url) ?? {}
  if (protocol === 'tcp:' && hostname) return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 3310) }
  throw new SluiceError('CONFIGURATION', 'CLAMAV_URL must look like tcp://host:3310 or unix:/run/clamav/clamd.ctl.')
}

async function send(stream: Readable, socket: Socket): Promise<void> {
  if (socket.connecting) await once(socket, 'connect')
  const write = async (data: Buffer) => {
    if (!socket.write(data) && !socket.destroyed) await Promise.race([once(socket, 'drain'), once(socket, 'close')])
  }
  await write(Buffer.from('zINSTREAM\0'))
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (chunk.length === 0) continue
    const length = Buffer.alloc(4)
    length.writeUInt32BE(chunk.length)
    await write(length)
    await write(chunk)
    if (socket.destroyed) return
  }
  await write(Buffer.alloc(4))
}

/** Everything up to the end, or to the zero byte that answers a command with `z`. */
function answer(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', (data: Buffer) => {
      text += data.toString('utf8')
      if (text.length > 4096) reject(new Error('its answer is too long'))
      else if (text.includes('\0')) resolve(text.slice(0, text.indexOf('\0')))
    })
    socket.once('end', () => (text ? resolve(text) : reject(new Error('it hung up without an answer'))))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('it hung up without an answer')))
  })
}

function judged(reply: string): ScanResult {
  const text = reply.trim()
  if (/^stream: OK$/.test(text)) return { clean: true }
  const found = /^stream: (.+) FOUND$/.exec(text)?.[1]
  if (found) return { clean: false, reason: `The virus scanner found ${found}.` }
  if (/size limit exceeded/i.test(text)) {
    return {
      clean: false,
      reason: 'The virus scanner takes no file of this size (its StreamMaxLength), so it was not scanned.',
    }
  }
  throw new SluiceError('UNAVAILABLE', `The virus scanner could not scan the file: ${text.slice(0, 200)}.`)
}
