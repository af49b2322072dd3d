/** Which statuses count as a success. Pure. */

/**
 * @param text such as `200-299, 409`.
 * @returns undefined when it cannot be read.
 */
export function statusesOf(text: string): ((status: number) => boolean) | undefined {
  const ranges = text.split(',').map((each) => /^\s*([1-5]\d\d)(?:\s*-\s*([1-5]\d\d))?\s*$/.exec(each))
  const read = ranges.flatMap((match) => (match ? [[Number(match[1]), Number(match[2] ?? match[1])] as const] : []))
  if (read.length < ranges.length) return undefined
  return (status) => read.some(([from, to]) => from <= status && status <= to)
}
