/**
 * Idox's token service and Uniform's submission service: a token for a client, a submission, its archive, its status.
 * An archive whose `proposal.xml` is not well formed, or names a file that the archive does not hold, makes the
 * submission fail. One submission with an archive is one case at the council.
 */
import { randomUUID } from 'node:crypto'
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { unzipSync } from 'fflate'
import type { ReceivedRequest } from '../../ground/receiver.ts'
import { type Answer, type Peer, startPeer } from './peer.ts'

export interface UniformSubmission {
  readonly submissionId: string
  readonly request: Readonly<Record<string, unknown>>
  submissionStatus: 'NEW' | 'PENDING' | 'FAILED'
  canDownload: boolean
  /** Every archive that was uploaded; the last one counts. */
  readonly archives: {
    readonly filename: string
    readonly zip: Buffer
    readonly files: Readonly<Record<string, Uint8Array>>
  }[]
}

export interface UniformPeer extends Peer {
  readonly tokenUrl: string
  readonly submissions: readonly UniformSubmission[]
  /** Submissions that hold an archive. */
  cases(): readonly UniformSubmission[]
  /** All tokens that were given end now. */
  expireTokens(): void
  /** Looks at archives only when this is called, instead of at once. */
  readonly processing: { isSlow: boolean }
  process(): void
}

export const uniformClient = { id: 'camden-client', secret: 'a-client-secret-of-camden' }

export async function startUniform(): Promise<UniformPeer> {
  const submissions: UniformSubmission[] = []
  const tokens = new Set<string>()
  const processing = { isSlow: false }

  const peer = await startPeer((request) => {
    const place = `${request.method} ${request.path}`
    if (place === 'POST /uaa/oauth/token') return giveToken(request)
    if (!tokens.has(request.headers.authorization?.replace('Bearer ', '') ?? '')) {
      return { status: 401, body: { error: 'invalid_token', error_description: 'Token was not recognised' } }
    }
    if (place === 'POST /api/secure/submission') return create(request)
    const [, id, rest = ''] = /^\w+ \/api\/secure\/submission\/([^/]+)(\/archive)?$/.exec(place) ?? []
    const found = submissions.find(({ submissionId }) => submissionId === id)
    if (!found) return { status: 404, body: { message: 'No such submission' } }
    if (rest && request.method === 'POST') return upload(request, found)
    const { archives: _, request: __, ...shown } = found
    return { status: 200, body: shown }
  })

  function giveToken({ headers, body }: ReceivedRequest): Answer {
    const form = new URLSearchParams(body.toString())
    const basic = `Basic ${Buffer.from(`${uniformClient.id}:${uniformClient.secret}`).toString('base64')}`
    const isKnown =
      headers.authorization === basic &&
      form.get('client_id') === uniformClient.id &&
      form.get('client_secret') === uniformClient.secret &&
      form.get('grant_type') === 'client_credentials'
    if (!isKnown) return { status: 401, body: { error: 'unauthorized', error_description: 'Bad credentials' } }
    const claims = { 'organisation-name': 'Camden', 'organisation-id': '210051', jti: randomUUID() }
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const token = `${part({ alg: 'RS256' })}.${part(claims)}.c2lnbmF0dXJl`
    tokens.add(token)
    return { status: 200, body: { access_token: token, token_type: 'bearer', expires_in: 3599 } }
  }

  function create({ body }: ReceivedRequest): Answer {
    const request = JSON.parse(body.toString()) as Record<string, unknown>
    const wanted = [
      'entity',
      'module',
      'organisation',
      'organisationId',
      'submissionReference',
      'submissionProcessorType',
    ]
    const missing = wanted.filter((key) => typeof request[key] !== 'string' || request[key] === '')
    if (missing.length > 0) return { status: 400, body: { message: `Missing ${missing.join(', ')}` } }
    const submissionId = randomUUID()
    submissions.push({ submissionId, request, submissionStatus: 'NEW', canDownload: false, archives: [] })
    return { status: 201, headers: { location: `${peer.url}/api/secure/submission/${submissionId}` } }
  }

  async function upload({ headers, body }: ReceivedRequest, submission: UniformSubmission): Promise<Answer> {
    const type = headers['content-type'] ?? ''
    const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData()
    const file = form.get('file')
    if (!(file instanceof File)) return { status: 400, body: { message: 'No file' } }
    const zip = Buffer.from(await file.arrayBuffer())
    submission.archives.push({ filename: file.name, zip, files: unzipSync(zip) })
    if (!processing.isSlow) judge(submission)
    return { status: 204 }
  }

  return {
    ...peer,
    tokenUrl: `${peer.url}/uaa/oauth/token`,
    submissions,
    cases: () => submissions.filter(({ archives }) => archives.length > 0),
    expireTokens: () => tokens.clear(),
    processing,
    process: () => submissions.forEach(judge),
  }
}

function judge(submission: UniformSubmission): void {
  const files = submission.archives.at(-1)?.files
  if (!files) return
  const listed = filesNamedBy(Buffer.from(files['proposal.xml'] ?? []).toString())
  const isWhole = listed !== undefined && listed.length > 0 && listed.every((name) => Object.hasOwn(files, name))
  submission.submissionStatus = isWhole ? 'PENDING' : 'FAILED'
  submission.canDownload = isWhole
}

/** Names under FileAttachments; undefined for XML that is not well formed. */
export function filesNamedBy(xml: string): readonly string[] | undefined {
  if (XMLValidator.validate(xml) !== true) return undefined
  const parser = new XMLParser({
    ignoreAttributes: true,
    parseTagValue: false,
    trimValues: false,
    htmlEntities: true,
    isArray: (name) => name === 'common:FileAttachment',
  })
  const proposal = parser.parse(xml)['portaloneapp:Proposal']
  const attached = proposal?.['portaloneapp:FileAttachments']?.['common:FileAttachment'] ?? []
  return attached.map((each: Record<string, string>) => each['common:FileName'])
}
