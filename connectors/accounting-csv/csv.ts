/**
 * CSV as spreadsheets and accounting systems read it (RFC 4180): CRLF, quotes where they are needed. A text that a
 * spreadsheet would run as a formula gets an apostrophe in front; numbers of ours stay numbers, also below zero.
 *
 * @see https://owasp.org/www-community/attacks/CSV_Injection
 */

/** A text of whoever it is from, or a number that was written here. */
export type Cell = string | { readonly number: string }

/** @example csvOf([['a', { number: '-1.50' }, '=1+1']], ',') // "a,-1.50,'=1+1\r\n" */
export function csvOf(rows: readonly (readonly Cell[])[], separator: string): string {
  return rows.map((row) => `${row.map((cell) => cellOf(cell, separator)).join(separator)}\r\n`).join('')
}

function cellOf(cell: Cell, separator: string): string {
  const text = typeof cell === 'string' ? harmless(plain(cell)) : cell.number
  return /["\r\n]/.test(text) || text.includes(separator) || text !== text.trim()
    ? `"${text.replaceAll('"', '""')}"`
    : text
}

/** Full-width signs count too: some spreadsheets read them alike. */
function harmless(text: string): string {
  return /^[\s\p{Cf}]*[=+\-@|＝＋－＠]/u.test(text) ? `'${text}` : text
}

/** One line, without what no line shows. */
function plain(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .trim()
    .slice(0, 1000)
}
