/**
 * The JSON text of an operation's first root field, as Postgres wrote it. It is passed on unparsed: parsing would cost
 * most of the time that a large session takes, and numbers of more than 15 digits their last ones.
 *
 * @param next the root field after it, where there is one; what that one holds must be nobody's own text.
 */
export function firstRoot(text: string, key: string, next?: string): string {
  const start = `{"${key}" : `
  // Whatever texts the first holds, the mark stands last where the next one begins.
  const end = next === undefined ? text.length - 1 : text.lastIndexOf(`, "${next}" : `)
  if (!text.startsWith(start) || end === -1) throw new Error(`The text does not begin with "${key}".`)
  return text.slice(start.length, end)
}
