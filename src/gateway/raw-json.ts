/**
 * JSON text that Postgres wrote, carried through code that will stringify what it
 * is given, without being parsed and written again for each of many sockets.
 *
 * `JSON.stringify` asks a value's `toJSON` while it writes; a carrier answers with
 * a mark and leaves its text with the frame that is being written, which puts it
 * in the mark's place. Stringifying and sending are one synchronous step.
 */
import { randomUUID } from 'node:crypto'

/** Unguessable, so that no client's text can be taken for it. */
const mark = `raw:${randomUUID()}`
const quotedMark = JSON.stringify(mark)

let carried: string | null = null

export class RawJson {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toJSON(): string {
    carried = this.text
    return mark
  }
}

/** The frame with the text of the `RawJson` that it was stringified with, if it was with one. */
export function withRawJson(frame: string): string {
  if (carried === null) return frame
  const text = carried
  carried = null
  const at = frame.indexOf(quotedMark)
  return at < 0 ? frame : frame.slice(0, at) + text + frame.slice(at + quotedMark.length)
}
