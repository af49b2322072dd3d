/**
 * Regular expressions that mean the same to PostgreSQL (`~`, `SIMILAR TO`) and
 * to us, in every locale: the portable dialect. Where an expression has to be
 * evaluated in memory it must keep to it; everywhere else PostgreSQL's own
 * dialect is allowed.
 *
 * The dialect: characters; `.`; `^` and `$`; `[…]` and `[^…]` with characters
 * and ranges; `( )`, `(?: )`, `|`; `*`, `+`, `?`, `{m}`, `{m,}`, `{m,n}` up to
 * 255, each also with `?` after it; a backslash before punctuation or as `\n`,
 * `\t`, `\r`, `\f`, `\v`. Not in it: classes such as `\w` and `[[:alpha:]]`
 * (they depend on the locale), back-references and look-around (they differ).
 *
 * Matched by running all states of a Thompson automaton side by side, so that
 * time grows with pattern times text and no pattern can stop a process, as
 * backtracking would. Source: https://swtch.com/~rsc/regexp/regexp1.html
 */

export interface PortablePattern {
  test(text: string): boolean
}

export type RegexDialect = 'regex' | 'similar'

/** Compiled size, in states, beyond which a pattern is refused; `[a-z]{1,255}` has 510. */
const maxStates = 4_000

/** The compiled pattern, or what keeps it from being portable, for an error message. */
export function portablePattern(
  source: string,
  dialect: RegexDialect,
  insensitive: boolean,
): PortablePattern | { readonly problem: string } {
  try {
    const node = new PatternParser(source, dialect, insensitive).parse()
    const program = compile(dialect === 'similar' ? { kind: 'sequence', of: [start, node, end] } : node)
    return { test: (text) => run(program, text) }
  } catch (error) {
    if (error instanceof NotPortable) return { problem: error.message }
    throw error
  }
}

class NotPortable extends Error {}

type Range = readonly [low: number, high: number]

type Node =
  | { readonly kind: 'set'; readonly ranges: readonly Range[]; readonly negated: boolean }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'sequence' | 'alternatives'; readonly of: readonly Node[] }
  | { readonly kind: 'repeat'; readonly of: Node; readonly least: number; readonly most: number }

const start: Node = { kind: 'start' }
const end: Node = { kind: 'end' }
const any: Node = { kind: 'set', ranges: [], negated: true }

const controls: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f', v: '\v' }
const punctuation = /^[!-/:-@[-`{-~ ]$/
const instead: Readonly<Record<string, string>> = { d: '[0-9]', w: '[A-Za-z0-9_]', s: '[ \\t\\n\\r\\f\\v]' }

class PatternParser {
  readonly #characters: readonly string[]
  readonly #similar: boolean
  readonly #insensitive: boolean
  #at = 0

  constructor(source: string, dialect: RegexDialect, insensitive: boolean) {
    this.#characters = [...source]
    this.#similar = dialect === 'similar'
    this.#insensitive = insensitive
  }

  parse(): Node {
    const node = this.#alternatives(0)
    if (this.#at < this.#characters.length) this.#fail('has a ")" without "("')
    return node
  }

  #fail(problem: string): never {
    throw new NotPortable(`${problem} at character ${this.#at + 1}`)
  }

  #alternatives(depth: number): Node {
    if (depth > 50) this.#fail('nests more than 50 groups')
    const of = [this.#sequence(depth)]
    while (this.#take('|')) of.push(this.#sequence(depth))
    return of.length === 1 ? (of[0] as Node) : { kind: 'alternatives', of }
  }

  #sequence(depth: number): Node {
    const of: Node[] = []
    for (;;) {
      const next = this.#characters[this.#at]
      if (next === undefined || next === '|' || next === ')') return { kind: 'sequence', of }
      of.push(this.#quantified(depth))
    }
  }

  #quantified(depth: number): Node {
    const atom = this.#atom(depth)
    const bounds = this.#bounds()
    if (!bounds) return atom
    if (atom.kind === 'start' || atom.kind === 'end') this.#fail('repeats an anchor')
    if (this.#similar && atom.kind === 'repeat' && atom.of === any) this.#fail('repeats a "%"')
    if (!this.#similar) this.#take('?')
    if (this.#bounds()) this.#fail('has two quantifiers in a row')
    return { kind: 'repeat', of: atom, least: bounds[0], most: bounds[1] }
  }

  #bounds(): readonly [number, number] | null {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY]
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY]
    if (this.#take('?')) return [0, 1]
    if (!this.#take('{')) return null
    const least = this.#number()
    const most = this.#take(',')
      ? this.#characters[this.#at] === '}'
        ? Number.POSITIVE_INFINITY
        : this.#number()
      : least
    if (!this.#take('}')) this.#fail('has a "{" that is not closed')
    if (least > most) this.#fail('has a quantifier whose first number is greater than its second')
    return [least, most]
  }

  #number(): number {
    let digits = ''
    while (/^[0-9]$/.test(this.#characters[this.#at] ?? '')) digits += this.#characters[this.#at++]
    if (digits === '' || Number(digits) > 255) this.#fail('has a "{" without a number up to 255')
    return Number(digits)
  }

  #atom(depth: number): Node {
    const character = this.#characters[this.#at++] as string
    if (character === '(') {
      if (!this.#similar && this.#take('?') && !this.#take(':')) this.#fail('has a "(?" other than "(?:"')
      const inner = this.#alternatives(depth + 1)
      if (!this.#take(')')) this.#fail('has a "(" that is not closed')
      return inner
    }
    if (character === '[') return this.#bracket()
    if (character === '\\') return this.#set([this.#escaped()])
    if ('*+?{}])'.includes(character)) this.#fail(`has a "${character}" that stands for itself; write \\${character}`)
    if (this.#similar) {
      if (character === '%') return { kind: 'repeat', of: any, least: 0, most: Number.POSITIVE_INFINITY }
      return character === '_' ? any : this.#set([character])
    }
    if (character === '^') return start
    if (character === '$') return end
    return character === '.' ? any : this.#set([character])
  }

  #escaped(): string {
    const character = this.#characters[this.#at++]
    if (character === undefined) return this.#fail('ends with a backslash')
    if (punctuation.test(character) && !(this.#similar && character === '"')) return character
    const control = this.#similar ? undefined : controls[character]
    if (control) return control
    const better = instead[character.toLowerCase()]
    return this.#fail(`has \\${character}, which is not the same everywhere${better ? `; write ${better}` : ''}`)
  }

  #bracket(): Node {
    const negated = this.#take('^')
    const ranges: Range[] = []
    const read = (): number => {
      const character = this.#characters[this.#at++]
      if (character === undefined) return this.#fail('has a "[" that is not closed')
      if (character === '[' || (character === ']' && ranges.length === 0)) {
        return this.#fail(`has a "${character}" inside "[…]"; write \\${character}`)
      }
      if (character !== '\\') return character.codePointAt(0) as number
      if (this.#similar) return this.#fail('has a backslash inside "[…]"')
      return this.#escaped().codePointAt(0) as number
    }
    do {
      if (this.#characters[this.#at] === '-' && ranges.length > 0 && this.#characters[this.#at + 1] !== ']') {
        this.#fail('has a "-" between ranges; write it last')
      }
      const low = read()
      if (this.#characters[this.#at] === '-' && this.#characters[this.#at + 1] !== ']') {
        this.#at += 1
        const high = read()
        if (low > high) this.#fail('has a range whose first character is greater than its second')
        ranges.push([low, high])
      } else ranges.push([low, low])
    } while (!this.#take(']'))
    return { kind: 'set', ranges: this.#folded(ranges), negated }
  }

  #set(characters: readonly string[]): Node {
    const ranges = characters.map(
      (character): Range => [character.codePointAt(0) as number, character.codePointAt(0) as number],
    )
    return { kind: 'set', ranges: this.#folded(ranges), negated: false }
  }

  /** Adds the other case of ASCII letters. Beyond ASCII, what the other case is depends on the locale. */
  #folded(ranges: readonly Range[]): readonly Range[] {
    if (!this.#insensitive) return ranges
    if (ranges.some(([, high]) => high > 127)) this.#fail('ignores the case of a character beyond ASCII')
    const shifted = (from: string, to: string, by: number) =>
      ranges.flatMap(([low, high]): Range[] => {
        const first = Math.max(low, from.charCodeAt(0))
        const last = Math.min(high, to.charCodeAt(0))
        return first <= last ? [[first + by, last + by]] : []
      })
    return [...ranges, ...shifted('A', 'Z', 32), ...shifted('a', 'z', -32)]
  }

  #take(character: string): boolean {
    if (this.#characters[this.#at] !== character) return false
    this.#at += 1
    return true
  }
}

type State =
  | { readonly kind: 'set'; readonly ranges: readonly Range[]; readonly negated: boolean; readonly next: number }
  | { readonly kind: 'start' | 'end'; readonly next: number }
  | { readonly kind: 'split'; next: readonly number[] }
  | { readonly kind: 'match' }

interface Program {
  readonly states: readonly State[]
  readonly first: number
}

/** Built from the end: each node is given the state that follows it. */
function compile(node: Node): Program {
  const states: State[] = [{ kind: 'match' }]
  const add = (state: State): number => {
    if (states.length >= maxStates) throw new NotPortable(`is too large: more than ${maxStates} states`)
    states.push(state)
    return states.length - 1
  }
  const build = (part: Node, next: number): number => {
    switch (part.kind) {
      case 'set':
        return add({ ...part, next })
      case 'start':
      case 'end':
        return add({ kind: part.kind, next })
      case 'sequence':
        return part.of.reduceRight((following, one) => build(one, following), next)
      case 'alternatives':
        return add({ kind: 'split', next: part.of.map((one) => build(one, next)) })
      case 'repeat': {
        let following = next
        if (part.most === Number.POSITIVE_INFINITY) {
          const loop: State = { kind: 'split', next: [] }
          following = add(loop)
          loop.next = [build(part.of, following), next]
        } else {
          for (let count = part.least; count < part.most; count += 1) {
            following = add({ kind: 'split', next: [build(part.of, following), next] })
          }
        }
        for (let count = 0; count < part.least; count += 1) following = build(part.of, following)
        return following
      }
    }
  }
  const first = build(node, 0)
  return { states, first }
}

/** Whether the pattern is found anywhere in the text. */
function run({ states, first }: Program, text: string): boolean {
  const characters = [...text].map((character) => character.codePointAt(0) as number)
  /** At which position a state was last reached, so that each is followed once a position. */
  const reached = new Int32Array(states.length).fill(-1)
  let current: number[] = []
  let matched = false
  const reach = (from: number, position: number, into: number[]) => {
    const open = [from]
    while (open.length > 0) {
      const index = open.pop() as number
      if (reached[index] === position) continue
      reached[index] = position
      const state = states[index] as State
      if (state.kind === 'match') matched = true
      else if (state.kind === 'set') into.push(index)
      else if (state.kind === 'split') open.push(...state.next)
      else if (position === (state.kind === 'start' ? 0 : characters.length)) open.push(state.next)
    }
  }
  for (let position = 0; ; position += 1) {
    reach(first, position, current)
    if (matched || position === characters.length) return matched
    const character = characters[position] as number
    const following: number[] = []
    for (const index of current) {
      const state = states[index] as State & { kind: 'set' }
      const inside = state.ranges.some(([low, high]) => character >= low && character <= high)
      if (inside !== state.negated) reach(state.next, position + 1, following)
    }
    current = following
  }
}
