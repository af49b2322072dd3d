/** Carries deliveries to connections: each is one run of a connector. */
import type { AttemptErrorClass, AttemptReport, Carrier } from '../delivery/carrier.ts'
import { SluiceError } from '../errors.ts'
import { type RunParts, type RunResult, runConnection } from './run.ts'
import { createSandboxPool, type SandboxPoolOptions } from './sandbox/pool.ts'
import { createTurns } from './turns.ts'

export interface ConnectionCarrierOptions
  extends Pick<
    RunParts,
    | 'database'
    | 'sealer'
    | 'egress'
    | 'mailer'
    | 'log'
    | 'objects'
    | 'retentionAfterRetrievalDays'
    | 'environment'
    | 'lifecycle'
  > {
  readonly sandbox?: SandboxPoolOptions
}

export interface ConnectionCarrier extends Carrier {
  /** Ends every sandbox; runs under way end with them. */
  close(): Promise<void>
}

/** Bundles that are kept in memory; each is 2 MiB at most, and mostly a few KB. */
const keptBundles = 64

/**
 * @throws SluiceError CONFIGURATION when Deno is not installed.
 * @example
 * const carrier = createConnectionCarrier({ database, sealer, egress, mailer, log, environment, retentionAfterRetrievalDays: 5 })
 * const report = await carrier.deliver(delivery, { signal })
 * await carrier.close()
 */
export function createConnectionCarrier({ sandbox, ...options }: ConnectionCarrierOptions): ConnectionCarrier {
  const sandboxes = createSandboxPool(sandbox)
  const parts: RunParts = {
    ...options,
    sandboxes,
    turns: createTurns(options.database.pool),
    bundles: bundleCache(options.database.pool),
    stateful: new Map(),
  }
  return {
    kind: 'connection',
    async deliver(delivery, { signal }) {
      const begun = performance.now()
      const result = await runConnection(parts, delivery, signal)
      return reportOf(result, Math.round((performance.now() - begun) * 100) / 100)
    },
    close: () => sandboxes.close(),
  }
}

function reportOf({ succeeded, message, final, failure }: RunResult, total: number): AttemptReport {
  if (succeeded) return { outcome: 'succeeded', phases: { total } }
  const error_class: AttemptErrorClass = failure === 'timeout' ? 'timeout' : 'connector'
  return { outcome: 'failed', error_class, error_message: message ?? '', final, phases: { total } }
}

/** A bundle never changes under its hash, so it is read once a process. */
export function bundleCache(pool: RunParts['database']['pool']): RunParts['bundles'] {
  const kept = new Map<string, string>()
  return async (connectorId, sha256) => {
    const known = kept.get(sha256)
    if (known !== undefined) return known
    const { rows } = await pool.query<{ bundle: string }>(
      'select bundle from connectors where id = $1 and bundle_sha256 = $2',
      [connectorId, sha256],
    )
    const bundle = rows[0]?.bundle
    if (bundle === undefined) throw new SluiceError('NOT_FOUND', 'The connector was removed while it was about to run.')
    const [oldest] = kept.keys()
    if (kept.size >= keptBundles && oldest !== undefined) kept.delete(oldest)
    kept.set(sha256, bundle)
    return bundle
  }
}
