/**
 * The rules by which modifiers settle a session: a function of values and of what the modifiers answer. No SQL, no
 * sandbox.
 *
 * Each modifier is **up to date** or not. At the start all that are called for are not, but for the author of the
 * present revision. In rounds, in their order, each that is not is called with the present content:
 *
 * - no change, or an answer that equals the present content: it is up to date;
 * - a change: it becomes the present content, its maker is up to date, and all others are not any more.
 *
 * The chain ends when all are up to date. It is **cut** when a change brings back what was there before in this chain
 * (that change is not taken), or when it is not done after `maxRounds`. So it ends whatever modifiers do, and the last
 * change that was taken is what the session says.
 */

export interface ChainLink {
  readonly id: string
}

/** A change that was taken. */
export interface ChainChange<Modifier> {
  readonly modifier: Modifier
  readonly content: unknown
}

export interface ChainInput<Modifier extends ChainLink> {
  readonly content: unknown
  /** In the order in which they run. */
  readonly modifiers: readonly Modifier[]
  /** Ids of those that have nothing to look at, until another changes something. */
  readonly upToDate: ReadonlySet<string>
  /** Equal for equal content. */
  readonly fingerprint: (content: unknown) => string
  /**
   * Asks one modifier.
   *
   * @returns the content as it wants it; undefined when it wants no change, or failed.
   */
  readonly modify: (modifier: Modifier, content: unknown) => Promise<unknown>
  /** @default 10 */
  readonly maxRounds?: number
}

export interface ChainResult<Modifier> {
  readonly content: unknown
  readonly changes: readonly ChainChange<Modifier>[]
  /** Why it was cut, and by whom it went on; null when it settled. */
  readonly loop: { readonly reason: 'repeated' | 'rounds'; readonly modifiers: readonly Modifier[] } | null
}

export const defaultMaxRounds = 10

/**
 * @example
 * const { content, changes } = await runChain({
 *   content: { price: 1 }, modifiers: [{ id: 'vat' }], upToDate: new Set(), fingerprint: JSON.stringify,
 *   modify: async (_, { price }) => ({ price, vat: price * 0.2 }),
 * })
 */
export async function runChain<Modifier extends ChainLink>({
  content: start,
  modifiers,
  upToDate: begun,
  fingerprint,
  modify,
  maxRounds = defaultMaxRounds,
}: ChainInput<Modifier>): Promise<ChainResult<Modifier>> {
  const upToDate = new Set(begun)
  const changes: ChainChange<Modifier>[] = []
  let content = start
  let present = fingerprint(content)
  const seen = new Set([present])
  const cut = (reason: 'repeated' | 'rounds', last: readonly Modifier[]): ChainResult<Modifier> => ({
    content,
    changes,
    loop: { reason, modifiers: distinct([...changes.map((change) => change.modifier), ...last]) },
  })

  for (let round = 1; round <= maxRounds; round++) {
    for (const modifier of modifiers) {
      if (upToDate.has(modifier.id)) continue
      const wanted = await modify(modifier, content)
      upToDate.add(modifier.id)
      if (wanted === undefined) continue
      const print = fingerprint(wanted)
      if (print === present) continue
      if (seen.has(print)) return cut('repeated', [modifier])
      seen.add(print)
      content = wanted
      present = print
      changes.push({ modifier, content })
      upToDate.clear()
      upToDate.add(modifier.id)
    }
    if (modifiers.every(({ id }) => upToDate.has(id))) return { content, changes, loop: null }
  }
  return cut('rounds', [])
}

function distinct<Modifier extends ChainLink>(modifiers: readonly Modifier[]): readonly Modifier[] {
  return [...new Map(modifiers.map((modifier) => [modifier.id, modifier])).values()]
}
