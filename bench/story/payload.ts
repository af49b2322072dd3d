/** Sessions as the planning applications of the seed look: a passport and its breadcrumbs, of our own making. */
import { createHash } from 'node:crypto'

export const teamSlug = 'bench-council'
export const flowSlug = 'apply'

export interface SampleSession {
  readonly team: string
  readonly flow: string
  readonly kind: 'application'
  readonly payment_id: string
  readonly data: Readonly<Record<string, unknown>>
}

/** A session of about `bytes` bytes of JSON: as many answered questions as fit. The same size gives the same session. */
export function sessionOf(bytes: number): SampleSession {
  const breadcrumbs: Record<string, unknown> = {}
  const passport: Record<string, unknown> = {
    'application.type': ['ldc.proposed'],
    'applicant.name.first': 'Robin',
    'applicant.name.last': 'Example',
    'applicant.email': 'robin@example.org',
    'application.fee.payable': 129,
    _address: { title: '1 Example Street, Exampleton', postcode: 'EX1 1AA', latitude: 51.5, longitude: -0.12 },
  }
  const session: SampleSession = {
    team: teamSlug,
    flow: flowSlug,
    kind: 'application',
    payment_id: 'payment-1',
    data: { passport: { data: passport }, breadcrumbs },
  }
  for (let question = 0; JSON.stringify(session).length < bytes; question++) {
    const [node, answer] = [token(`node ${question}`), token(`answer ${question}`)]
    const variable = `proposal.section${question % 12}.${token(`variable ${question}`).toLowerCase()}`
    const written =
      question % 3 === 0 ? `What the applicant wrote about question ${question}: ${prose(question)}` : answer
    breadcrumbs[node] = { auto: question % 4 === 1, answers: [answer], data: { [variable]: [written] } }
    passport[variable] = [written]
  }
  return session
}

/** Ten letters and digits like the ids of a flow's nodes. */
const token = (seed: string) =>
  createHash('sha256').update(seed).digest('base64url').replaceAll(/[-_]/g, 'x').slice(0, 10)

const words =
  'the house garden wall roof window north of new existing brick timber metres and will be replaced with'.split(' ')

/** Words in an order that hardly repeats: Postgres compresses what repeats. */
function prose(seed: number): string {
  const digest = createHash('sha256').update(`prose ${seed}`).digest()
  return Array.from(digest, (byte) => words[byte % words.length]).join(' ')
}

/** JSON texts that differ in the id alone: made once, so that the load generator has next to nothing to do. */
export function bodiesOf(wrap: (session: SampleSession & { readonly id: string }) => unknown, bytes: number) {
  const mark = '00000000-0000-0000-0000-000000000000'
  const [before, after] = JSON.stringify(wrap({ id: mark, ...sessionOf(bytes) })).split(mark)
  return (id: string): string => `${before}${id}${after}`
}
