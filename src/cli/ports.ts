/** Taken ports are found before anything starts, and named all at once. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { SluiceError } from '../errors.ts'

export interface WantedPort {
  /** What listens there, for people. */
  readonly what: string
  /** The variable that changes it. */
  readonly variable: string
  readonly host: string
  /** 0 takes any free one. */
  readonly port: number
}

/**
 * @param waitMs How long a taken port may stay taken: what ran there may be ending.
 * @throws SluiceError CONFIGURATION that names every port that is taken, or wanted twice, and its variable.
 */
export async function requireFreePorts(wanted: readonly WantedPort[], waitMs = 0): Promise<void> {
  const twice = wanted.filter(({ port }, index) => port > 0 && wanted.findIndex((other) => other.port === port) < index)
  const deadline = Date.now() + waitMs
  for (;;) {
    const free = await Promise.all(wanted.map(isFree))
    const taken = wanted.filter((_, index) => !free[index])
    if (taken.length === 0 && twice.length === 0) return
    if (Date.now() < deadline && twice.length === 0) {
      await pause(100)
      continue
    }
    const lines = [
      ...taken.map(({ what, variable, port }) => `  ${port} for ${what}: set ${variable}`),
      ...twice.map(({ what, variable, port }) => `  ${port} for ${what} is asked for twice: set ${variable}`),
    ]
    throw new SluiceError(
      'CONFIGURATION',
      `Ports that Sluice needs are taken. Stop what uses them, or choose others:\n${lines.join('\n')}`,
    )
  }
}

async function isFree({ host, port }: WantedPort): Promise<boolean> {
  const probe = createServer()
  try {
    probe.listen(port, host)
    await once(probe, 'listening')
    probe.close()
    await once(probe, 'close')
    return true
  } catch (error) {
    if ((error as { code?: string }).code === 'EADDRINUSE') return false
    throw new SluiceError('CONFIGURATION', `Cannot listen on ${host} port ${port}: ${(error as Error).message}.`, {
      cause: error,
    })
  }
}
