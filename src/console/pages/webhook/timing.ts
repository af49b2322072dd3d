/** Parts of a request, in the order of time. `waiting` for the first byte of the answer; `rest` until its end. */
export const timedParts = ['dns', 'connect', 'tls', 'waiting', 'rest'] as const
export type Part = (typeof timedParts)[number]

/**
 * @param phases of an attempt, in milliseconds: `dns`, `connect` and `tls` each by itself, `first_byte` and `total` from
 *   the start.
 */
export function partsOf(
  phases: Readonly<Record<string, number>>,
): readonly { readonly part: Part; readonly ms: number }[] {
  const { dns = 0, connect = 0, tls = 0, first_byte, total } = phases
  const opened = dns + connect + tls
  const waiting = first_byte === undefined ? 0 : first_byte - opened
  const rest = total === undefined ? 0 : total - Math.max(opened, first_byte ?? 0)
  return (
    [
      ['dns', dns],
      ['connect', connect],
      ['tls', tls],
      ['waiting', waiting],
      ['rest', rest],
    ] as const
  ).flatMap(([part, ms]) => (ms > 0 ? [{ part, ms }] : []))
}
