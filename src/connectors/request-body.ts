/** The body of a connector's request, from what the guest said of it. Files of the session are streamed and never held. */
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { z } from 'zod'
import { archiveOf, archiveSchema } from './archive.ts'
import type { OpenedFile } from './run-files.ts'

const formValue = z.union([z.string(), z.number(), z.boolean()])
/** Line breaks would end the part's header. */
const token = z
  .string()
  .max(255)
  .regex(/^[^\r\n\0]*$/)

const part = z.strictObject({
  name: token,
  /** What it holds: one of these four. */
  text: z.string().optional(),
  base64: z.base64().optional(),
  /** Name or id of a file of the session. */
  file: z.string().max(1000).optional(),
  archive: archiveSchema.optional(),
  filename: token.optional(),
  type: token.optional(),
})

export const bodySchema = z
  .union([
    z.strictObject({ text: z.string() }),
    z.strictObject({ base64: z.base64() }),
    z.strictObject({ json: z.json() }),
    z.strictObject({ form: z.record(z.string(), z.union([formValue, z.array(formValue)])) }),
    z.strictObject({ file: z.string().max(1000) }),
    z.strictObject({ archive: archiveSchema }),
    z.strictObject({ parts: z.array(part).min(1).max(500) }),
  ])
  .nullable()

export type GuestBody = z.output<typeof bodySchema>

export interface OutgoingBody {
  readonly content?: string | Buffer | Readable
  /** Of a stream, where it is known. */
  readonly bytes?: number
  /** The content type that belongs to it. */
  readonly type?: string
  /** The request needs this one, whatever the connector says: it names the boundary. */
  readonly typeIsFixed?: boolean
}

/** @param open opens a file of the session; what it throws is passed on, and streams opened before are destroyed. */
export async function outgoingBody(
  body: GuestBody,
  open: (nameOrId: string) => Promise<OpenedFile>,
): Promise<OutgoingBody> {
  if (body === null) return {}
  if ('text' in body) return { content: body.text, type: 'text/plain; charset=utf-8' }
  if ('base64' in body) return { content: Buffer.from(body.base64, 'base64'), type: 'application/octet-stream' }
  if ('json' in body) return { content: JSON.stringify(body.json), type: 'application/json' }
  if ('form' in body) return { content: formOf(body.form), type: 'application/x-www-form-urlencoded' }
  if ('file' in body) {
    const { stream, size, type } = await open(body.file)
    return { content: stream, bytes: size, type }
  }
  if ('archive' in body) return { ...(await archiveOf(body.archive, open)), type: 'application/zip' }
  return multipart(body.parts, open)
}

function formOf(form: Readonly<Record<string, z.output<typeof formValue> | readonly z.output<typeof formValue>[]>>) {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(form)) {
    for (const each of Array.isArray(value) ? value : [value]) query.append(name, String(each))
  }
  return query.toString()
}

/** `multipart/form-data` (RFC 7578). All files are opened before a byte is sent, so that one that is missing stops the request. */
async function multipart(
  parts: readonly z.output<typeof part>[],
  open: (nameOrId: string) => Promise<OpenedFile>,
): Promise<OutgoingBody> {
  const boundary = `sluice-${randomBytes(18).toString('base64url')}`
  const pieces: (Buffer | Readable)[] = []
  let bytes = 0
  const add = (piece: Buffer) => {
    pieces.push(piece)
    bytes += piece.length
  }
  try {
    for (const each of parts) {
      const streamed = await streamedContent(each, open)
      add(Buffer.from(headOf(each, streamed, boundary)))
      if (streamed) {
        pieces.push(streamed.stream)
        bytes += streamed.size
      } else {
        add(Buffer.from(each.base64 ?? each.text ?? '', each.base64 === undefined ? 'utf8' : 'base64'))
      }
      add(Buffer.from('\r\n'))
    }
  } catch (error) {
    for (const piece of pieces) if (!Buffer.isBuffer(piece)) piece.destroy()
    throw error
  }
  add(Buffer.from(`--${boundary}--\r\n`))
  const content = Readable.from(joined(pieces), { objectMode: false })
  // A stream that was never read does not reach the `finally` below.
  content.once('close', () => {
    for (const piece of pieces) if (!Buffer.isBuffer(piece)) piece.destroy()
  })
  return { content, bytes, type: `multipart/form-data; boundary=${boundary}`, typeIsFixed: true }
}

/** Read `stream` to its end or destroy it; `size` is in bytes. */
export type Streamed = Pick<OpenedFile, 'stream' | 'size' | 'name' | 'type'>

/** A file of the session or an archive; undefined for what is held. */
export async function streamedContent(
  { file, archive }: Pick<z.output<typeof part>, 'file' | 'archive'>,
  open: (nameOrId: string) => Promise<OpenedFile>,
): Promise<Streamed | undefined> {
  if (file !== undefined) return open(file)
  if (archive === undefined) return undefined
  const { content, bytes } = await archiveOf(archive, open)
  return { stream: content, size: bytes, name: 'archive.zip', type: 'application/zip' }
}

async function* joined(pieces: readonly (Buffer | Readable)[]): AsyncGenerator<Buffer> {
  for (const piece of pieces) {
    if (Buffer.isBuffer(piece)) yield piece
    else yield* piece
  }
}

function headOf(
  { name, filename, type, base64 }: z.output<typeof part>,
  streamed: Streamed | undefined,
  boundary: string,
): string {
  const called = filename ?? streamed?.name
  const contentType = type ?? streamed?.type ?? (base64 === undefined ? undefined : 'application/octet-stream')
  const disposition = `form-data; name="${quoted(name)}"${called === undefined ? '' : `; filename="${quoted(called)}"`}`
  return [
    `--${boundary}`,
    `Content-Disposition: ${disposition}`,
    ...(contentType === undefined ? [] : [`Content-Type: ${contentType}`]),
    '\r\n',
  ].join('\r\n')
}

/** As browsers do: https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data */
function quoted(text: string): string {
  return text.replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('"', '%22')
}
