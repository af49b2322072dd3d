/** Successful answers of the REST face: JSON, compressed where it is worth it, never stored by anybody between. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { chosenEncoding, type Encoding } from './negotiation.ts'

/** Smaller ones gain less than they cost. */
const leastBytes = 1024

const compressors: Readonly<Record<Encoding, (body: Buffer) => Promise<Buffer>>> = {
  gzip: (body) => promisify(gzip)(body),
  // 4 is as fast as gzip's default and denser; the default of 11 takes 20 times as long.
  br: (body) => promisify(brotliCompress)(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
}

/** Personal data: for nobody's store. */
export const forNobodyElse = 'private, no-store'

export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

export interface ReplyOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** The representation's tag without a coding: `3`. A coding makes another one of it (RFC 9110, section 8.8.3.3). */
  readonly tag?: string | undefined
  /** @default application/json; charset=utf-8 */
  readonly type?: string
}

/** @param text JSON */
export async function replyText(
  { request, response }: Exchange,
  status: number,
  text: string,
  { headers = {}, tag, type = 'application/json; charset=utf-8' }: ReplyOptions = {},
): Promise<void> {
  const plain = Buffer.from(text)
  const encoding = plain.length >= leastBytes ? chosenEncoding(request.headers['accept-encoding']?.toString()) : null
  const body = encoding ? await compressors[encoding](plain) : plain
  if (response.destroyed) return
  response.appendHeader('vary', 'accept-encoding')
  response.writeHead(status, {
    'content-type': type,
    'content-length': body.length,
    'cache-control': forNobodyElse,
    ...(encoding ? { 'content-encoding': encoding } : {}),
    ...(tag === undefined ? {} : { etag: etagOf(tag, encoding) }),
    ...headers,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

export function reply(exchange: Exchange, status: number, value: unknown, options: ReplyOptions = {}): Promise<void> {
  return replyText(exchange, status, JSON.stringify(value), options)
}

/** 304: the client has this very representation. @param tag without a coding */
export function replyNotModified({ request, response }: Exchange, tag: string): void {
  response.appendHeader('vary', 'accept-encoding')
  const given = tagsOf(request.headers['if-none-match'])
  // The one that it has, with the coding in which it came.
  const known = given.find((one) => plainTag(one) === tag) ?? tag
  response.writeHead(304, { etag: `"${known}"`, 'cache-control': forNobodyElse }).end()
}

/** Strong, and so another one for each coding. */
function etagOf(tag: string, encoding: Encoding | null): string {
  return encoding ? `"${tag}-${encoding}"` : `"${tag}"`
}

/** Whether `If-None-Match` or `If-Match` names the representation, in whichever coding it was sent. */
export function names(header: string | undefined, tag: string): boolean {
  return header?.trim() === '*' || tagsOf(header).some((one) => plainTag(one) === tag)
}

/** Entity tags of a list, without their quotes; weak ones as if they were strong (which If-None-Match asks for). */
export function tagsOf(header: string | undefined): readonly string[] {
  return [...(header ?? '').matchAll(/(?:W\/)?"([^"]{0,100})"/g)].map(([, tag]) => tag as string)
}

export const plainTag = (tag: string) => tag.replace(/-(br|gzip)$/, '')
