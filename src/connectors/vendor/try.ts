/** One run of a connector at its author's: the real sandbox, the real rules, and whatever host the caller has. */
import type { Egress } from '../../egress/egress.ts'
import type { Mailer } from '../../egress/mail.ts'
import { silentLog } from '../../log.ts'
import { createCapabilities } from '../capabilities.ts'
import type { RunCall } from '../record.ts'
import type { RunStore } from '../run-files.ts'
import type { SandboxPool } from '../sandbox/pool.ts'
import type { RunHost, RunOutcome } from '../sandbox/process.ts'
import type { RunInput } from '../sandbox/protocol.ts'
import { createScrubber } from '../scrub.ts'
import { type Verdict, verdictOf } from '../verdict.ts'
import type { VendorPackage } from './package.ts'
import { folderFiles, memoryStore, type Sample } from './sample.ts'

export interface TryOptions {
  readonly package: VendorPackage
  readonly sandboxes: SandboxPool
  readonly sample: Sample
  /** @default that of the sample */
  readonly input?: RunInput
  /** Does the calls; `localHost` has the real network behind. */
  readonly call: RunHost['call']
  /** @default 30 000 */
  readonly timeoutMs?: number
  /** Told of each line as it is written, secrets taken out. */
  readonly onLog?: (level: string, message: string) => void
}

export interface Tried {
  readonly outcome: RunOutcome
  readonly verdict: Verdict
  readonly log: readonly { readonly level: string; readonly message: string }[]
}

/** Never throws for what the connector does. */
export async function tryConnector({
  package: { bundle, sha256 },
  sandboxes,
  sample,
  input = sample.input,
  call,
  timeoutMs = 30_000,
  onLog,
}: TryOptions): Promise<Tried> {
  const scrub = createScrubber(Object.values(sample.secrets))
  const log: { level: string; message: string }[] = []
  const outcome = await sandboxes.run({
    key: sha256,
    bundle,
    input,
    timeoutMs,
    host: {
      call,
      log(level, message) {
        const line = { level, message: scrub(message) }
        log.push(line)
        onLog?.(line.level, line.message)
      },
    },
  })
  const verdict = outcome.ok
    ? verdictOf(outcome.value)
    : { succeeded: false, message: scrub(outcome.message), final: false }
  return { outcome, verdict, log }
}

export interface LocalHostOptions {
  readonly package: VendorPackage
  readonly sample: Sample
  readonly egress: Egress
  readonly mailer: Pick<Mailer, 'send'>
  readonly store?: RunStore
  readonly signal: AbortSignal
  readonly timeoutMs: number
  readonly onCall: (call: RunCall) => void
}

/** The capabilities that a run in production has, over files of the sample. */
export function localHost({
  package: made,
  sample,
  store = memoryStore(),
  ...options
}: LocalHostOptions): RunHost['call'] {
  const isSecret = (key: string) => key in sample.secrets
  const settings = Object.entries(sample.input.settings as object).filter(([key]) => !isSecret(key))
  return createCapabilities({
    manifest: made.manifest,
    settings: Object.fromEntries(settings),
    egress: options.egress,
    mailer: options.mailer,
    files: folderFiles(sample.files),
    store,
    log: silentLog,
    deliveryId: (sample.input.delivery as { id: string }).id,
    deadline: performance.now() + options.timeoutMs,
    signal: options.signal,
    scrub: createScrubber(Object.values(sample.secrets)),
    note: options.onCall,
  })
}
