/** A test session: what an editor sends through a flow to see where it goes, before a source submits the first real one. */
import { z } from 'zod'
import { reachOf } from '../access/reach.ts'
import { SluiceError } from '../errors.ts'
import { jsonObject } from './submission.ts'
import { type SubmitContext, type SubmitResult, submitSession } from './submit.ts'

/** What third parties see of every test session in `paymentID`; `config.test` is true besides. */
export const testPaymentId = 'test'

/** Of nobody: enough to be read, nothing that could be taken for an application. */
const sample = {
  passport: { data: { 'application.type': ['test'], 'applicant.name': 'Test session' } },
  breadcrumbs: {},
}

const testSchema = z.strictObject({
  flow_id: z.uuid(),
  kind: z.enum(['application', 'booking']).default('application'),
  data: jsonObject.nullish(),
  config: jsonObject.nullish(),
})

/**
 * Submits a session of a flow as a source would: the same intake, so grants, event and deliveries are real, and so is what
 * destinations are sent. It is told apart by its payment id, `test`, and by `test: true` in its config, which nothing that
 * is given here can take away.
 *
 * @param input `{flow_id, kind?, data?, config?}`; without data, a small sample that names nobody.
 * @throws SluiceError VALIDATION_FAILED; NOT_FOUND for a flow that is not the caller's.
 */
export async function submitTestSession(input: unknown, context: SubmitContext): Promise<SubmitResult> {
  const parsed = testSchema.safeParse(input)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new SluiceError('VALIDATION_FAILED', `${issue?.path.join('.')}: ${issue?.message}`, {
      path: issue?.path.join('.'),
    })
  }
  const { flow_id, kind, data, config } = parsed.data
  const { everywhere, teamIds } = reachOf(context.principal)
  const { rows } = await context.database.pool.query<{ team: string; flow: string }>(
    `select t.slug as team, f.slug as flow from flows f join teams t on t.id = f.team_id
      where f.id = $1 and ($2 or f.team_id = any($3::uuid[]))`,
    [flow_id, everywhere, teamIds],
  )
  const [found] = rows
  if (!found) throw new SluiceError('NOT_FOUND', `You have no flow ${flow_id}.`, { path: 'flow_id' })
  return submitSession(
    { ...found, kind, data: data ?? sample, payment_id: testPaymentId, config: { ...config, test: true } },
    context,
  )
}
