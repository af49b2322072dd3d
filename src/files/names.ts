/** What a file may be called. A name is kept as it was given, or refused: never changed behind the sender's back. */
import { SluiceError } from '../errors.ts'

/** As file systems have it, so that whoever downloads it can save it. */
const maxNameBytes = 255

/**
 * The name in Unicode's composed form (NFC).
 *
 * @throws SluiceError VALIDATION_FAILED for a path, control or direction-changing characters, and what is too long.
 */
export function checkedFileName(given: string, path = 'object.name'): string {
  const name = given.normalize('NFC')
  const wrong = problemOf(name)
  if (wrong)
    throw new SluiceError('VALIDATION_FAILED', `The file name ${wrong}. Send a plain name such as site-plan.pdf.`, {
      path,
    })
  return name
}

function problemOf(name: string): string | undefined {
  if (name.trim() === '') return 'is empty'
  if (name !== name.trim()) return 'begins or ends with a space'
  if (Buffer.byteLength(name) > maxNameBytes) return `is longer than ${maxNameBytes} bytes`
  if (/[/\\]/.test(name)) return 'contains a slash or backslash, as a path does'
  if (/^\.{1,2}$/.test(name)) return 'is only dots'
  // Cc: control characters; Cf: invisible ones, some of which turn "fdp.exe" around into "exe.pdf"; Cs: halves of pairs.
  if (/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u.test(name)) return 'contains control or invisible characters'
  return undefined
}
