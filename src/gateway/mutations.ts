/**
 * Mutations of tables. The table fields of one request run in one transaction,
 * in order; an operation made only of them is answered with Postgres's JSON text.
 * Beside actions, which graphql-js runs one after the other, they run together
 * where the first of them stands.
 */
import { GraphQLError, type GraphQLResolveInfo } from 'graphql'
import type { Audit } from '../access/audit.ts'
import type { Database } from '../database/database.ts'
import { messageOf, SluiceError } from '../errors.ts'
import { MutationFailure } from '../tables/mutation.ts'
import { type MutationPlan, planMutation } from '../tables/mutation-plan.ts'
import { type MutationResult, runMutation } from '../tables/mutation-run.ts'
import type { PlanInput } from '../tables/plan.ts'
import { type SelectContext, selectStatement } from '../tables/select.ts'
import type { WriteRules } from '../tables/write-rules.ts'
import { failureOf } from './audit-actions.ts'
import { auditWrite } from './audit-writes.ts'
import type { Caller } from './engine.ts'

export interface Mutations {
  /** The JSON text of `data`, or null when the operation also has actions. */
  answer(input: PlanInput, context: SelectContext): Promise<string> | null
  /** One table field of an operation that graphql-js executes. `caller` stands for the request. */
  field(input: PlanInput, context: SelectContext, caller: Caller, info: GraphQLResolveInfo): Promise<unknown>
}

export interface MutationsOptions {
  readonly database: Database
  readonly rules: WriteRules
  readonly audit: Audit
  /** Called after a commit that changed rows. */
  readonly committed: () => void
}

export function createMutations({ database, rules, audit, committed }: MutationsOptions): Mutations {
  const started = new WeakMap<Caller, Promise<MutationResult>>()

  const run = async ({ writes }: MutationPlan, context: SelectContext): Promise<MutationResult> => {
    const { view, principal } = context
    try {
      const result = await runMutation(writes, {
        pool: database.pool,
        view,
        principal,
        rules,
        select: (root) => selectStatement([root], context),
        written: (client, rows) => auditWrite(audit, client, rows, context),
      })
      if (result.changed) committed()
      return result
    } catch (error) {
      auditFailure(error, writes, context)
      throw error
    }
  }

  /** Nothing was written, so this is beside any transaction. */
  const auditFailure = (error: unknown, writes: MutationPlan['writes'], { principal, request }: SelectContext) => {
    const { key, cause } = error instanceof MutationFailure ? error : { key: undefined, cause: error }
    const { code, outcome } = failureOf(cause)
    const write = writes.find((one) => one.key === key)
    const operation = write ? `${write.kind} ${write.table.table.name}` : 'mutation'
    audit.refused({ principal, operation, outcome, address: request.address, request_id: request.id, detail: { code } })
  }

  return {
    answer(input, context) {
      try {
        const plan = planMutation(input)
        if (!plan.onlyTables) return null
        return run(plan, context).then((result) => dataOf(plan, result), located)
      } catch (error) {
        return Promise.reject(error).catch(located)
      }
    },

    async field(input, context, caller, info) {
      const key = String(info.path.key)
      let running = started.get(caller)
      if (!running) {
        // A plan that cannot be made is a failure of every table field too.
        running = (async () => run(planMutation(input), context))()
        started.set(caller, running)
      }
      try {
        return JSON.parse((await running).values.get(key) as string)
      } catch (error) {
        throw causeFor(key, error)
      }
    },
  }
}

function dataOf({ keys, typenames }: MutationPlan, { values }: MutationResult): string {
  const entries = keys.map((key) => `${JSON.stringify(key)}:${values.get(key) ?? JSON.stringify(typenames.get(key))}`)
  return `{${entries.join(',')}}`
}

/** The failure, at the root field that failed. */
function located(error: unknown): never {
  if (!(error instanceof MutationFailure)) throw error
  const { cause, key } = error
  throw new GraphQLError(messageOf(cause), { path: [key], originalError: cause instanceof Error ? cause : null })
}

/** graphql-js adds the path; the fields that failed with another are told so. */
function causeFor(key: string, error: unknown): unknown {
  if (!(error instanceof MutationFailure)) return error
  if (error.key === key || !(error.cause instanceof SluiceError)) return error.cause
  return new SluiceError('CONFLICT', `Nothing was written, because ${error.key} failed: ${error.cause.message}`)
}
