import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Config } from '../config.ts'
import { SluiceError } from '../errors.ts'

/**
 * Opens the port.
 *
 * @returns `http://host:port`, with the port that it really got.
 * @throws SluiceError CONFIGURATION when the port is taken.
 */
export async function listen(server: Server, { GATEWAY_HOST: host, GATEWAY_PORT: port }: Config): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? taken(port, error) : error),
    )
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  const shownHost = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host
  return `http://${shownHost}:${address.port}`
}

function taken(port: number, cause: Error): SluiceError {
  const message = `Port ${port} is taken by another program. Set GATEWAY_PORT to a free one.`
  return new SluiceError('CONFIGURATION', message, { cause })
}
