/** JSON as senders of mail write it: wrapped in comments, with line breaks inside of texts, with a comma too many. */

/** Says where, and quotes nothing: the text is somebody's booking. */
export class BrokenJson extends Error {}

/** Characters. Real markup has some thousands. */
const longest = 1_000_000

/** @throws BrokenJson */
export function parseLoosely(text: string): unknown {
  if (text.length > longest) throw new BrokenJson(`it has more than ${longest} characters`)
  const bare = unwrapped(text)
  try {
    return JSON.parse(bare)
  } catch {
    // Below.
  }
  const mended = repaired(bare.includes('"') ? bare : bare.replaceAll('&quot;', '"').replaceAll('&amp;', '&'))
  try {
    return JSON.parse(mended)
  } catch (error) {
    const position = Number(/position (\d+)/.exec((error as Error).message)?.[1] ?? mended.length)
    throw new BrokenJson(`it is no JSON from line ${mended.slice(0, position).split('\n').length} on`)
  }
}

/** Without what hid scripts from browsers of old. */
function unwrapped(text: string): string {
  let bare = text.replace(/^\ufeff/, '').trim()
  for (const [start, end] of wrappers) {
    if (!bare.startsWith(start)) continue
    bare = bare.slice(start.length).trim()
    if (bare.endsWith(end)) bare = bare.slice(0, -end.length).trim()
  }
  return bare.endsWith(';') ? bare.slice(0, -1) : bare
}

const wrappers = [
  ['//<![CDATA[', '//]]>'],
  ['<![CDATA[', ']]>'],
  ['<!--', '-->'],
] as const

/** One pass: control characters inside of texts are escaped, commas before a closing bracket are left out. */
function repaired(text: string): string {
  const out: string[] = []
  let isInside = false
  /** Where in `out` a comma stands that nothing followed yet. */
  let comma = -1
  let from = 0
  const flush = (to: number) => {
    if (to > from) out.push(text.slice(from, to))
    from = to
  }
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (isInside) {
      if (code === 0x5c) at++
      else if (code === 0x22) isInside = false
      else if (code < 0x20) {
        flush(at)
        out.push(`\\u${code.toString(16).padStart(4, '0')}`)
        from = at + 1
      }
      continue
    }
    if (code <= 0x20) continue
    if ((code === 0x7d || code === 0x5d) && comma !== -1) out[comma] = ''
    comma = -1
    if (code === 0x22) isInside = true
    else if (code === 0x2c) {
      flush(at)
      comma = out.push(',') - 1
      from = at + 1
    }
  }
  flush(text.length)
  return out.join('')
}
