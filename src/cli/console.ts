/**
 * Builds the web console where it is absent or older than its sources (`src/console/build.ts`, which decides). That is
 * a process of its own: a build takes some seconds and up to 1 GB, and nothing of the server
 * imports the console.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'

const program = path.join(import.meta.dirname, '../console/build.ts')

export interface ConsoleBuild {
  /** Whether there is a console of these sources now; never rejects. */
  readonly done: Promise<boolean>
  /** Gives it up; an earlier build stays as it is. */
  stop(): void
}

/** @param onLine gets what the build says: nothing when there is nothing to do. */
export function buildConsole(onLine: (line: string) => void): ConsoleBuild {
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'pipe'] })
  for (const input of [child.stdout, child.stderr]) createInterface({ input }).on('line', onLine)
  const done = once(child, 'close').then(
    ([code]) => code === 0,
    (error: Error) => {
      onLine(`The console could not be built: ${error.message}`)
      return false
    },
  )
  return { done, stop: () => child.kill() }
}
