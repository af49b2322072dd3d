/**
 * BOPS as far as a sender meets it: `POST planning_applications` and `submissions`, the list, one application's
 * submission, `ping`; a job that fetches the files of an application later. Built from its Rails engines `bops_api` and
 * `bops_submissions`: it makes a new application of every request and knows no idempotency key.
 */
import { randomUUID } from 'node:crypto'
import type { ReceivedRequest } from '../../ground/receiver.ts'
import { type Answer, type Peer, startPeer } from './peer.ts'

export interface BopsApplication {
  readonly reference: string
  readonly created_at: string
  readonly submission: OdpDocument
}

export interface OdpDocument {
  readonly data: { readonly application?: { readonly type?: { readonly value?: string } } }
  readonly files?: readonly { readonly name: string; readonly type?: unknown }[]
  readonly metadata: { readonly id: string; readonly schema: string }
}

export interface BopsPeer extends Peer {
  readonly token: string
  readonly applications: readonly BopsApplication[]
  /** Reports of breaches. */
  readonly submissions: readonly { readonly uuid: string; readonly document: OdpDocument }[]
  /** Whether the token may read. */
  readonly rights: { read: boolean }
  /** The job that follows: every file of the newest application, with the API user's header. */
  fetchFiles(headers: Readonly<Record<string, string>>): Promise<readonly { name: string; content: Buffer }[]>
}

const schemas =
  /^https:\/\/theopensystemslab\.github\.io\/digital-planning-data-schemas\/[^/]+\/schemas\/(application|preApplication|enforcement)\.json$/

export async function startBops(): Promise<BopsPeer> {
  const token = 'bops_9Nm3kQ7wT2xR5vB8cD1fG4hJ6kL0pS9aZ2yX4c1e2d3'
  const applications: BopsApplication[] = []
  const submissions: { uuid: string; document: OdpDocument }[] = []
  const rights = { read: true }

  const peer = await startPeer((request) => {
    const url = new URL(request.path, 'http://bops')
    const place = `${request.method} ${url.pathname}`
    if (request.headers.authorization !== `Bearer ${token}`)
      return failure(401, 'Unauthorized', 'HTTP Token: Access denied.')
    if (place === 'GET /api/v2/ping')
      return { status: 200, body: { message: 'OK', timestamp: new Date().toISOString() } }
    if (place === 'POST /api/v2/planning_applications') return create(request)
    if (place === 'POST /api/v2/submissions') return submit(request)
    if (request.method === 'GET' && !rights.read) return failure(403, 'Forbidden', 'Not permitted')
    if (place === 'GET /api/v2/planning_applications') return list(url)
    const one = /^GET \/api\/v2\/planning_applications\/([^/]+)\/submission$/.exec(place)?.[1]
    const found = applications.find(({ reference }) => reference === one)
    if (!found) return failure(404, 'Not Found', `Couldn't find PlanningApplication`)
    return { status: 200, body: { application: { reference: found.reference }, submission: found.submission } }
  })

  function create(request: ReceivedRequest): Answer {
    const document = documentOf(request)
    if (!document?.files)
      return failure(
        400,
        'Bad Request',
        "We couldn't process your request because some information is missing or incorrect.",
      )
    const number = String(applications.length + 100).padStart(5, '0')
    const reference = `26-${number}-${document.data.application?.type?.value === 'preApp' ? 'PRE' : 'LDCP'}`
    applications.push({ reference, created_at: new Date().toISOString(), submission: document })
    return { status: 200, body: { id: reference, message: 'Application successfully created' } }
  }

  function submit(request: ReceivedRequest): Answer {
    const document = documentOf(request)
    if (!document) return failure(400, 'Bad Request', 'Schema not found')
    const uuid = randomUUID()
    submissions.push({ uuid, document })
    return { status: 200, body: { uuid, message: 'Submission was successfully created' } }
  }

  function list({ searchParams }: URL): Answer {
    const size = Math.min(Number(searchParams.get('maxresults') ?? 10), 20)
    const from = (Number(searchParams.get('page') ?? 1) - 1) * size
    const data = applications
      .toReversed()
      .slice(from, from + size)
      .map(({ reference, created_at }) => ({ reference, created_at, status: 'not_started' }))
    return { status: 200, body: { metadata: { page: from / size + 1, results: size }, data } }
  }

  return {
    ...peer,
    token,
    applications,
    submissions,
    rights,
    async fetchFiles(headers) {
      const { files = [] } = applications.at(-1)?.submission ?? {}
      return Promise.all(
        files.map(async ({ name: address }) => {
          const answer = await fetch(address, { headers })
          if (!answer.ok) throw new Error(`${answer.status} for ${address}`)
          const name = decodeURIComponent(new URL(address).pathname.split('/').at(-1) ?? '')
          return { name, content: Buffer.from(await answer.arrayBuffer()) }
        }),
      )
    },
  }
}

/** Undefined unless it follows a schema that is known. */
function documentOf({ headers, body }: ReceivedRequest): OdpDocument | undefined {
  if (headers['content-type'] !== 'application/json') return undefined
  const document = JSON.parse(body.toString()) as OdpDocument
  return document.data && schemas.test(document.metadata?.schema ?? '') ? document : undefined
}

function failure(code: number, message: string, detail: string): Answer {
  return { status: code, body: { error: { code, message, detail } } }
}
