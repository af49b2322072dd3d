/**
 * Names of files in the archive. Uniform refuses a submission whose XML names a
 * file that the archive does not hold, so both are written from one list, and
 * its names are such that no reader can understand them in two ways. Pure.
 */
import { replaceForbidden } from './xml.ts'

const mostLetters = 120
/** File systems hold no longer names; a letter has up to three. */
const mostBytes = 255
/** Of Windows, with any extension; and the one that is no plain key of an object. */
const devices = /^((con|prn|aux|nul|com\d|lpt\d)(\.|$)|__proto__$)/i

/**
 * One name for each given one, in their order: without folders, of characters that XML, zip and Windows all hold,
 * and different from each other and from `taken` even for a reader that knows no case.
 *
 * @example archiveNames(['../a/plan.pdf', 'PLAN.pdf'], ['proposal.xml']) // ['plan.pdf', 'PLAN (2).pdf']
 */
export function archiveNames(names: readonly string[], taken: readonly string[]): readonly string[] {
  const used = new Set(taken.map(folded))
  return names.map((name) => {
    const plain = plainName(name)
    let free = plain
    for (let number = 2; used.has(folded(free)); number++) free = numbered(plain, number)
    used.add(folded(free))
    return free
  })
}

function plainName(name: string): string {
  const last = name.normalize('NFC').split(/[/\\]/).at(-1) ?? ''
  const clean = replaceForbidden(last, '_')
    // What Windows does not take, other control characters, and what turns the direction of writing.
    .replaceAll(/[<>:"|?*\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffd]/g, '_')
    .replaceAll(/\s+/g, ' ')
    // A name of dots is a folder; Windows takes dots and spaces from the end.
    .replace(/^[. ]+/, '')
    .replace(/[. ]+$/, '')
  const safe = devices.test(clean) ? `_${clean}` : clean || 'file'
  const { stem, extension } = parted(safe)
  return `${cut(stem, extension)}${extension}`
}

function numbered(name: string, number: number): string {
  const { stem, extension } = parted(name)
  const end = ` (${number})${extension}`
  return `${cut(stem, end)}${end}`
}

function parted(name: string): { readonly stem: string; readonly extension: string } {
  const extension = /.(\.[^. ]{1,10})$/.exec(name)?.[1] ?? ''
  return { stem: name.slice(0, name.length - extension.length), extension }
}

/** So that there is room for `end`. Not in the middle of a character, nor behind it in a space or dot. */
function cut(stem: string, end: string): string {
  if (stem.length + end.length <= mostLetters && bytesOf(stem + end) <= mostBytes) return stem
  const letters = Array.from(stem.slice(0, mostLetters - end.length).toWellFormed())
  while (bytesOf(letters.join('')) > mostBytes - bytesOf(end)) letters.pop()
  return (
    letters
      .join('')
      .replace(/\ufffd$/, '')
      .replace(/[. ]+$/, '') || '_'
  )
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length
}

/** What readers that know no case may take for the same: ß, ẞ and ss too. */
function folded(name: string): string {
  return name.normalize('NFKC').toLowerCase().toUpperCase().toLowerCase()
}
