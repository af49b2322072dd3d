/** Packs what tests want to be unpacked, honest or not. */

import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { type Headers, pack } from 'tar-stream'

export interface PackedEntry extends Headers {
  readonly content?: string | Buffer
}

/** @returns a `.tgz`. */
export async function tarballOf(entries: readonly PackedEntry[]): Promise<Buffer> {
  const archive = pack()
  for (const { content, ...header } of entries) archive.entry(header, content ?? '')
  archive.finalize()
  return gzipSync(await buffer(archive))
}

/** As `npm pack` makes it: everything under `package/`. */
export function packageTarball(files: Readonly<Record<string, string>>): Promise<Buffer> {
  return tarballOf(Object.entries(files).map(([name, content]) => ({ name: `package/${name}`, content })))
}
