/** Random requests of the REST face about random rows, of whichever team, and all that was answered. */
import type { GeneratorValue } from 'fast-check'
import fc from 'fast-check'
import type { Rows } from '../tables/rows.ts'

export interface RandomRequest {
  readonly method: string
  /** With the query string. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export function randomRequest(g: GeneratorValue, rows: Rows): RandomRequest {
  const pick = <T>(list: readonly T[]): T => g(() => fc.constantFrom(...list))
  const idOf = (table: string): string => String(pick(rows.get(table) ?? []).id)
  const session = idOf('sessions')
  const files = rows.get('session_files') ?? []
  const file = pick(files)
  const position = String(pick(rows.get('session_events') ?? []).position ?? '')
  const after = pick(['', '', position])
  const filter = pick(['', `&limit=${pick([1, 5, 1000])}`])
  const path = pick([
    `/v1/sessions?after=${after}${filter}`,
    `/v1/events?after=${after}${filter}`,
    `/v1/sessions/${session}`,
    `/v1/sessions/${session}`,
    `/v1/sessions/${session}?revision=${pick([1, 2, 3])}`,
    `/v1/sessions/${session}/files`,
    `/v1/sessions/${session}/files/${String(file.id)}`,
    `/v1/sessions/${String(file.session_id)}/files/${String(file.id)}`,
    '/v1/audit',
  ])
  const isSession = path === `/v1/sessions/${session}`
  // A revision that there is not: nothing is changed.
  if (isSession && pick([true, false, false])) {
    const headers = { 'content-type': 'application/json', 'if-match': '"999999"' }
    return { method: 'PATCH', path, headers, body: '{"data": {"changed": true}}' }
  }
  const headers = pick<Readonly<Record<string, string>>>([{}, {}, { 'if-none-match': '"1"' }])
  return { method: pick(['GET', 'GET', 'GET', 'HEAD']), path, headers }
}

/** Status, headers that may tell something, and body, as one text; what an error quotes of the request is left out. */
export async function answerOf(
  url: string,
  { method, path, headers, body }: RandomRequest,
  who: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`${url}${path}`, {
    method,
    redirect: 'manual',
    headers: { ...headers, ...who },
    ...(body === undefined ? {} : { body }),
  })
  const told = ['location', 'link', 'etag', 'repr-digest'].map((name) => response.headers.get(name) ?? '').join('\n')
  // The log of one's own people holds the ids that they asked for in vain.
  const asked = /^.*"outcome":"(?:refused|failed)".*"detail":\{"code".*$/gm
  const text = `${told}\n${(await response.text()).replaceAll(asked, '')}`
  if (response.status < 400) return { status: response.status, text }
  const said = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
  return { status: response.status, text: text.replaceAll(said, (id) => (path.includes(id) ? '' : id)) }
}
