/** Files over REST: upload as a stream, list, and fetch by a link that is made for each request. */
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { Busboy } from '@fastify/busboy'
import type { Audit } from '../../access/audit.ts'
import { SluiceError } from '../../errors.ts'
import { tooLarge } from '../../files/content.ts'
import { createFileLinks, type FileLink, type LinkParts } from '../../files/links.ts'
import { type FileParts, type FileState, receiveUpload } from '../../files/uploads.ts'
import { failureOf } from '../audit-actions.ts'
import { replyJson } from '../reply.ts'
import type { RunDocument } from './documents.ts'
import { idOf, uuidPattern } from './parameters.ts'
import { replyProblem } from './problem.ts'
import { forNobodyElse, reply } from './reply.ts'
import type { RestCall, RestRoute } from './router.ts'

export interface FileRoutesOptions {
  readonly parts: FileParts & LinkParts
  readonly run: RunDocument
  readonly audit: Audit
  /** Called after something was written. */
  readonly committed: () => void
}

/** `/v1/sessions/{session_id}/files` and what is under it. */
export function fileRoutes({ parts, run, audit, committed }: FileRoutesOptions): readonly RestRoute[] {
  const files = '/v1/sessions/{session_id}/files'
  return [
    {
      method: 'POST',
      pattern: files,
      async handle(call) {
        const entry = { ...entryOf(call), operation: 'upload_file' }
        try {
          const file = await receive(call, parts)
          await audit.record({ ...entry, outcome: 'granted', ids: { file_id: file.id } })
          committed()
          replyUploaded(call, file)
        } catch (error) {
          const { code, outcome } = failureOf(error)
          audit.refused({ ...entry, outcome, detail: { code } })
          throw error
        }
      },
    },
    {
      method: 'GET',
      pattern: files,
      async handle(call) {
        const list = await listFiles(call, run)
        await reply(call, 200, { files: list })
      },
    },
    {
      method: 'HEAD',
      pattern: `${files}/{file_id}`,
      produces: null,
      async handle(call) {
        const file = (await listFiles(call, run)).find(({ id }) => id === call.params.file_id)
        if (!file) throw new SluiceError('NOT_FOUND', 'There is no such file.')
        call.response.writeHead(204, { ...describing(file), 'cache-control': forNobodyElse }).end()
      },
    },
    {
      method: 'GET',
      pattern: `${files}/{file_id}`,
      produces: null,
      async handle(call) {
        const { response, principal, requestId, address, params } = call
        const choice = { session_id: idOf(params, 'session_id'), file_id: idOf(params, 'file_id') }
        const made = await createFileLinks(parts, choice, { principal, requestId, address }).catch((error) => {
          const { code, outcome } = failureOf(error)
          // Where there was a grant, the statement itself has written it.
          if (code !== 'GONE') {
            audit.refused({ ...entryOf(call), operation: 'link_files', outcome, detail: { code } })
          }
          throw error
        })
        committed()
        const link = made[0] as FileLink
        if (!link.url) return replyUnavailable(call, link)
        response
          .writeHead(302, {
            location: link.url,
            'cache-control': forNobodyElse,
            'referrer-policy': 'no-referrer',
          })
          .end()
      },
    },
  ]
}

const entryOf = ({ principal, params, address, requestId }: RestCall) => ({
  principal,
  session_ids: uuidPattern.test(params.session_id ?? '') ? [params.session_id as string] : [],
  address,
  request_id: requestId,
})

/** What tells of a file without handing it over. */
interface ListedFile {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly size: number | null
  readonly sha256: string | null
  readonly status: string
  readonly reason: string | null
  readonly url: string | null
}

const listed = 'id name type size sha256 status reason'
const sessionFiles = `session: sessions_by_pk(id: $id) { id } files: session_files(where: { session_id: { _eq: $id } }, order_by: { name: asc }) { ${listed} url }`
const waiting = `waiting: file_uploads(where: { session_id: { _eq: $id }, status: { _neq: used } }, order_by: { name: asc }) { ${listed} }`

/** Metadata only, and so no retrieval. @throws SluiceError NOT_FOUND when the caller sees no such session. */
async function listFiles(call: RestCall, run: RunDocument): Promise<readonly ListedFile[]> {
  const { params, principal } = call
  const consumer = principal.role === 'consumer'
  const data = await run<{ session: unknown; files: ListedFile[]; waiting?: ListedFile[] }>(
    `query ($id: uuid!) { ${sessionFiles} ${consumer ? '' : waiting} }`,
    { id: idOf(params, 'session_id') },
    call,
  )
  const found = [...data.files, ...(data.waiting ?? []).map((file) => ({ ...file, url: null }))]
  if (!data.session && found.length === 0) throw new SluiceError('NOT_FOUND', 'There is no such session.')
  return found
}

function describing({ type, size, sha256, status }: ListedFile): Record<string, string> {
  return {
    // A header takes less than a column does.
    'x-file-type': /^[\x20-\x7e]+$/.test(type) ? type : 'application/octet-stream',
    'x-file-status': status,
    ...(size === null ? {} : { 'x-file-size': String(size) }),
    // RFC 9530
    ...(sha256 && status === 'stored'
      ? { 'repr-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:` }
      : {}),
  }
}

function replyUploaded({ response }: RestCall, file: FileState): void {
  const { status, reason } = file
  if (status === 'refused' || status === 'quarantined') {
    throw new SluiceError('UNSUPPORTED', reason ?? 'The file is not what it was said to be.', { details: { file } })
  }
  const location = `/v1/sessions/${file.session_id}/files/${file.id}`
  // It is here, and becomes available once it was scanned.
  replyJson(response, status === 'stored' ? 201 : 202, file, { location, 'cache-control': 'no-store' })
}

/** A file without a link: which, and why. */
function replyUnavailable({ response }: RestCall, { id, name, status, reason }: FileLink): void {
  const message = `The file "${name}" is ${status}: ${reason ?? 'it cannot be had.'}`
  const code =
    ({ pending: 'CONFLICT', quarantined: 'FORBIDDEN', refused: 'FORBIDDEN' } as const)[status as 'pending'] ?? 'GONE'
  replyProblem(response, new SluiceError(code, message), {
    headers: status === 'pending' ? { 'retry-after': '120' } : {},
    extensions: { file: { id, name, status, reason } },
  })
}

/** One file as `multipart/form-data`; the fields `team` and `flow`, where they are needed, come before it. */
async function receive(call: RestCall, parts: FileParts): Promise<FileState> {
  const { request, principal } = call
  const session_id = idOf(call.params, 'session_id')
  if (principal.role !== 'source' && principal.role !== 'admin') {
    throw new SluiceError('FORBIDDEN', `The role "${principal.role}" uploads no files; a source does.`)
  }
  const { maxBytes } = parts.rules
  // Room for the boundaries and fields around the file.
  if (Number(request.headers['content-length'] ?? 0) > maxBytes + 64 * 1024) throw tooLarge(maxBytes)
  const form = parserFor(request)
  const fields: Record<string, string> = {}
  let file: Readable | undefined
  let others = 0
  try {
    const state = await new Promise<FileState>((resolve, reject) => {
      const failed = (error: unknown) => {
        const told = error instanceof SluiceError ? error : brokenForm(error)
        file?.destroy(told)
        if (!file) reject(told)
      }
      form.on('field', (name, value) => {
        fields[name] = value
      })
      form.on('file', (_field, stream, filename, _encoding, type) => {
        if (file) {
          others++
          return void stream.on('error', () => undefined).resume()
        }
        file = stream
        // Whoever reads it is told by reading; where nobody does yet, its failure must not end the process.
        stream.on('error', () => undefined)
        const { team = null, flow = null } = fields
        receiveUpload(
          parts,
          { team, flow, session_id, name: filename ?? '', type: saidType(type), stream },
          principal,
        ).then(resolve, reject)
      })
      form.on('error', failed)
      form.once('finish', () => {
        if (!file) failed(new SluiceError('BAD_REQUEST', 'The form has no file. Send it as a part with a filename.'))
      })
      request.on('error', failed)
      request.once('close', () => {
        if (!request.complete) failed(new SluiceError('BAD_REQUEST', 'The upload ended before its file did.'))
      })
      request.pipe(form)
    })
    if (others > 0) {
      throw new SluiceError('BAD_REQUEST', `Send one file with each request. The first, "${state.name}", was taken.`, {
        details: { file: state },
      })
    }
    return state
  } catch (error) {
    request.unpipe(form)
    file?.destroy()
    await drained(request)
    throw error
  }
}

/** `text/plain` is also what a part has that says nothing (RFC 7578, section 4.4). */
function saidType(type: string | undefined): string | null {
  return !type || type === 'text/plain' ? null : type
}

function parserFor(request: IncomingMessage) {
  const contentType = request.headers['content-type']
  if (!/^multipart\/form-data\s*;/i.test(contentType ?? '')) {
    throw new SluiceError('UNSUPPORTED', 'Send the file as multipart/form-data.')
  }
  try {
    return Busboy({
      headers: { ...request.headers, 'content-type': contentType as string },
      isPartAFile: (_field, _type, filename) => filename !== undefined,
      limits: { fields: 10, fieldNameSize: 100, fieldSize: 1000, files: 5, parts: 15, headerPairs: 50 },
    })
  } catch (cause) {
    throw brokenForm(cause)
  }
}

function brokenForm(cause: unknown): SluiceError {
  return new SluiceError('BAD_REQUEST', 'The multipart/form-data body is broken or incomplete.', { cause })
}

/** A client that is still sending often reads no answer; so a little of the rest is read and thrown away. */
async function drained(request: IncomingMessage, bytes = 16 * 1024 * 1024, ms = 3000): Promise<void> {
  if (request.complete || request.destroyed) return
  await new Promise<void>((resolve) => {
    let left = bytes
    const timer = setTimeout(resolve, ms)
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) resolve()
    })
    request.once('close', resolve).once('end', resolve)
    request.resume()
    request.once('end', () => clearTimeout(timer)).once('close', () => clearTimeout(timer))
  })
}
