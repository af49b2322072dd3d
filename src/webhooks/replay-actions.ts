/** What the GraphQL actions about deliveries do: send again, end that, take off the list. For admins, and editors of the team. */
import type pg from 'pg'
import { requireOwn } from '../access/own.ts'
import { type Cancelled, cancelDeliveries } from '../delivery/cancel.ts'
import type { TargetKind } from '../delivery/carrier.ts'
import {
  cancelReplay,
  createReplay,
  type MadeReplay,
  type ReplayedDelivery,
  type ReplayState,
  replayDelivery,
} from '../delivery/replay.ts'
import { SluiceError } from '../errors.ts'
import type { RequestContext } from '../tables/request-context.ts'
import { microseconds } from '../tables/timestamp.ts'

export interface ReplayRequest {
  readonly webhook_id?: string | null | undefined
  readonly connection_id?: string | null | undefined
  readonly where?: unknown
  readonly from?: string | null | undefined
  readonly to?: string | null | undefined
  readonly rate_per_second?: number | null | undefined
  readonly missed?: boolean | null | undefined
  readonly dry_run?: boolean | null | undefined
}

export interface ReplayActions {
  replayDelivery(id: string, context: RequestContext): Promise<ReplayedDelivery>
  replayDeliveries(request: ReplayRequest, context: RequestContext): Promise<MadeReplay>
  cancelReplay(id: string, context: RequestContext): Promise<ReplayState>
  cancelDeliveries(where: unknown, context: RequestContext): Promise<Cancelled>
}

const usualRate = 10
const rates = { least: 0.01, most: 1000 }

export function createReplayActions({
  pool,
  committed,
}: {
  readonly pool: pg.Pool
  readonly committed: () => void
}): ReplayActions {
  return {
    async replayDelivery(id, { principal }) {
      const replayed = await replayDelivery(pool, id, principal)
      committed()
      return replayed
    },

    async replayDeliveries(request, { principal }) {
      const { kind, id } = targetOf(request)
      const ratePerSecond = request.rate_per_second ?? usualRate
      if (!(ratePerSecond >= rates.least && ratePerSecond <= rates.most)) {
        throw invalid('rate_per_second', `must be ${rates.least} to ${rates.most}`)
      }
      const range = { from: timeOf(request.from), to: timeOf(request.to) }
      if (range.from && range.to && range.from >= range.to) throw invalid('to', 'must be later than from')
      await requireOwn(pool, kind, id, principal, `${kind}_id`)
      const made = await createReplay(pool, {
        kind,
        targetId: id,
        where: request.where ?? {},
        ...range,
        ratePerSecond,
        missed: request.missed ?? false,
        dryRun: request.dry_run ?? false,
        principal,
      })
      if (made.id !== null) committed()
      return made
    },

    async cancelReplay(id, { principal }) {
      await requireOwn(pool, 'replay', id, principal, 'id')
      const state = await cancelReplay(pool, id)
      committed()
      return state
    },

    async cancelDeliveries(where, { principal }) {
      const result = await cancelDeliveries(pool, where, principal)
      if (result.cancelled > 0) committed()
      return result
    },
  }
}

function targetOf({ webhook_id, connection_id }: ReplayRequest): { readonly kind: TargetKind; readonly id: string } {
  if (webhook_id && !connection_id) return { kind: 'webhook', id: webhook_id }
  if (connection_id && !webhook_id) return { kind: 'connection', id: connection_id }
  throw invalid('object', 'needs either webhook_id or connection_id')
}

function timeOf(text: string | null | undefined): Date | null {
  return text == null ? null : new Date(Number(microseconds(text) / 1000n))
}

function invalid(path: string, rule: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', `${path} ${rule}.`, { path })
}
