/**
 * Bundles somebody else's folder in a process of its own. esbuild and the parser
 * do not run the code, but a crafted source can exhaust memory, stack or time;
 * then this child dies and its worker goes on. It gets no environment, so there
 * is no secret in it, and lower priority than deliveries.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants, setPriority } from 'node:os'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { type ErrorCode, SluiceError } from '../errors.ts'
import type { ConnectorPackage } from './bundle.ts'

/** What the child writes to its standard output. */
export type BundleAnswer =
  | { readonly package: ConnectorPackage }
  | { readonly error: { readonly code: ErrorCode; readonly message: string } }

/** For each of the two programs: 1 GB of memory and 30 s of processor time, and no file may be written. */
const limits = ['-d 1000000', '-t 30', '-f 0', '-c 0'].map((limit) => `ulimit ${limit} 2>/dev/null`).join('; ')

const program = path.join(import.meta.dirname, 'bundle-child.ts')

/**
 * @throws SluiceError VALIDATION_FAILED as `bundleConnector` does, and when the child had to be ended.
 */
export async function bundleApart(folder: string, { timeoutMs = 20_000 } = {}): Promise<ConnectorPackage> {
  const command = [process.execPath, '--max-old-space-size=256', program, folder]
  const child = spawn('/bin/sh', ['-c', `${limits}; exec "$@"`, 'sh', ...command], {
    // esbuild is a program of its own: it ends with the group.
    detached: true,
    env: { GOMAXPROCS: '1', GOMEMLIMIT: '256MiB' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  if (child.pid) yieldProcessor(child.pid)
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    endGroup(child)
  }, timeoutMs)
  try {
    const exited = new Promise<void>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', () => resolve())
    })
    const [output] = await Promise.all([buffer(child.stdout), exited])
    const answer = read(output)
    if (!answer) {
      throw new SluiceError(
        'VALIDATION_FAILED',
        isLate
          ? `The package could not be bundled within ${timeoutMs / 1000} s. Make it smaller, or bundle it before it is packed.`
          : 'The package could not be bundled: it needs too much memory. Make it smaller, or bundle it before it is packed.',
      )
    }
    if ('error' in answer) throw new SluiceError(answer.error.code, answer.error.message)
    return answer.package
  } finally {
    clearTimeout(timer)
    endGroup(child)
  }
}

function read(output: Buffer): BundleAnswer | undefined {
  try {
    return JSON.parse(output.toString('utf8')) as BundleAnswer
  } catch {
    return undefined
  }
}

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

function yieldProcessor(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW)
  } catch {
    // It has ended, or the system forbids it.
  }
}
