/**
 * A webhook's pattern as rows and groups that a person can work with, and as the JSON that the API takes. Both ways, and
 * nothing gets lost: what the rows have no words for is kept as it is.
 */

/** What a pattern speaks of. `config` is one variable of the configuration. */
export const words = ['flow', 'kind', 'type', 'config', 'team'] as const
export type Word = (typeof words)[number]

/** `all` of them hold, `any` of them, `none` of them, or `notAll`. */
export const joins = ['all', 'any', 'none', 'notAll'] as const
export type Join = (typeof joins)[number]

/** Of text: those that compare with one value, and those with a list. */
export const textOperators = ['_eq', '_neq', '_in', '_nin', '_like', '_nlike', '_regex'] as const
const oneValue = [
  ...['_eq', '_neq', '_like', '_nlike', '_ilike', '_nilike', '_similar', '_nsimilar'],
  ...['_regex', '_iregex', '_nregex', '_niregex'],
]
const listValue = ['_in', '_nin']

/** Of a variable: it has this value, has another or none, is there, is not there. */
export const configOperators = ['is', 'isNot', 'has', 'hasNot'] as const
export type ConfigOperator = (typeof configOperators)[number]

export interface GroupNode {
  readonly is: 'group'
  /** Tells nodes apart while they are edited. */
  readonly key: string
  readonly join: Join
  readonly of: readonly PatternNode[]
}

export interface TextNode {
  readonly is: 'text'
  readonly key: string
  readonly word: Exclude<Word, 'config'>
  readonly operator: string
  /** One, or for `_in` and `_nin` any number. */
  readonly values: readonly string[]
}

export interface ConfigNode {
  readonly is: 'config'
  readonly key: string
  readonly name: string
  readonly operator: ConfigOperator
  /** As `parseValue` reads it. */
  readonly value: string
}

/** What the rows have no words for. */
export interface RawNode {
  readonly is: 'raw'
  readonly key: string
  readonly json: Json
}

export type TestNode = TextNode | ConfigNode
export type PatternNode = GroupNode | TestNode | RawNode
export type Json = Readonly<Record<string, unknown>>

let made = 0
function newKey(): string {
  made += 1
  return `node-${made}`
}

export function group(join: Join, of: readonly PatternNode[]): GroupNode {
  return { is: 'group', key: newKey(), join, of }
}

/** A row to be filled in. */
export function emptyTest(word: Word): TestNode {
  if (word === 'config') return { is: 'config', key: newKey(), name: '', operator: 'is', value: '' }
  return { is: 'text', key: newKey(), word, operator: '_eq', values: [] }
}

export function takesList(operator: string): boolean {
  return listValue.includes(operator)
}

/** Whether a row still lacks its value: it then says nothing, so it is left out. */
export function isUnfinished(node: PatternNode): boolean {
  if (node.is === 'text') return !takesList(node.operator) && node.values.length === 0
  return node.is === 'config' && node.name === ''
}

/** @param text what a person wrote: a number, true, false, null or other JSON; anything else is text as it stands. */
export function parseValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The other way round: text that would be read as something else is put in quotes. */
export function writeValue(value: unknown): string {
  return typeof value === 'string' && parseValue(value) === value ? value : JSON.stringify(value)
}

/** The API's JSON of a tree. */
export function toJson(root: GroupNode): Json {
  return jsonOf(root) ?? {}
}

function jsonOf(node: PatternNode): Json | undefined {
  if (isUnfinished(node)) return undefined
  switch (node.is) {
    case 'raw':
      return node.json
    case 'text': {
      const { word, operator, values } = node
      return { [word]: { [operator]: takesList(operator) ? values : values[0] } }
    }
    case 'config': {
      const { name, operator, value } = node
      const held =
        operator === 'is' || operator === 'isNot'
          ? { config: { _contains: { [name]: parseValue(value) } } }
          : { config: { _has_key: name } }
      return operator === 'isNot' || operator === 'hasNot' ? { _not: held } : held
    }
    case 'group':
      return groupJson(node)
  }
}

function groupJson({ join, of }: GroupNode): Json | undefined {
  const parts = of.map(jsonOf).filter((part) => part !== undefined)
  const [first] = parts
  if (!first) return undefined
  if (join === 'all') return together(parts)
  if (join === 'notAll') return { _not: together(parts) }
  const any = parts.length === 1 ? first : { _or: parts }
  return join === 'any' ? any : { _not: any }
}

/** Side by side is AND, where no name is there twice. */
function together(parts: readonly Json[]): Json {
  const names = parts.flatMap(Object.keys)
  return new Set(names).size === names.length ? Object.assign({}, ...parts) : { _and: parts }
}

/** The tree of a pattern. Its root is always a group, so that there is something to add to. */
export function fromJson(pattern: Json): GroupNode {
  if (Object.keys(pattern).length === 0) return group('all', [])
  const node = nodeOf(pattern)
  return node.is === 'group' ? node : group('all', [node])
}

function nodeOf(json: unknown): PatternNode {
  if (!isObject(json)) return raw(json as Json)
  const nodes = Object.entries(json).flatMap(([name, value]) => entry(name, value))
  const [first] = nodes
  if (!first) return raw(json)
  return nodes.length === 1 ? first : group('all', nodes)
}

function entry(name: string, value: unknown): PatternNode[] {
  if (name === '_and' || name === '_or') {
    const items = Array.isArray(value) ? value : [value]
    return items.length === 0 ? [raw({ [name]: value })] : [group(name === '_and' ? 'all' : 'any', items.map(nodeOf))]
  }
  if (name === '_not') return [negated(nodeOf(value))]
  if (!isObject(value) || !words.includes(name as Word)) return [raw({ [name]: value })]
  const operators = Object.entries(value)
  if (operators.length === 0) return [raw({ [name]: value })]
  return operators.flatMap(([operator, given]) =>
    name === 'config' ? configTests(operator, given) : [textTest(name as TextNode['word'], operator, given)],
  )
}

function textTest(word: TextNode['word'], operator: string, given: unknown): PatternNode {
  const values = takesList(operator) ? given : [given]
  const known = oneValue.includes(operator) || takesList(operator)
  if (!known || !Array.isArray(values) || !values.every((value) => typeof value === 'string')) {
    return raw({ [word]: { [operator]: given } })
  }
  return { is: 'text', key: newKey(), word, operator, values }
}

function configTests(operator: string, given: unknown): PatternNode[] {
  const test = (name: string, operator: ConfigOperator, value: string): ConfigNode => ({
    is: 'config',
    key: newKey(),
    name,
    operator,
    value,
  })
  if (operator === '_has_key' && typeof given === 'string' && given !== '') return [test(given, 'has', '')]
  if (operator === '_contains' && isObject(given)) {
    const entries = Object.entries(given)
    if (entries.length > 0 && entries.every(([name]) => name !== '')) {
      return entries.map(([name, value]) => test(name, 'is', writeValue(value)))
    }
  }
  return [raw({ config: { [operator]: given } })]
}

const opposites: Partial<Record<string, Join>> = { any: 'none', all: 'notAll' }

function negated(node: PatternNode): PatternNode {
  if (node.is === 'config' && node.operator === 'is') return { ...node, operator: 'isNot' }
  if (node.is === 'config' && node.operator === 'has') return { ...node, operator: 'hasNot' }
  const join = node.is === 'group' ? opposites[node.join] : undefined
  return node.is === 'group' && join ? { ...node, join } : group('none', [node])
}

function raw(json: Json): RawNode {
  return { is: 'raw', key: newKey(), json }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A tree with one node replaced, or taken out where `change` gives null. */
export function changed<Node extends PatternNode>(
  root: GroupNode,
  key: string,
  change: (node: Node) => PatternNode | null,
): GroupNode {
  const visit = (node: PatternNode): PatternNode | null => {
    if (node.key === key) return change(node as Node)
    return node.is === 'group' ? { ...node, of: node.of.map(visit).filter((each) => each !== null) } : node
  }
  return visit(root) as GroupNode
}

/** Reads what somebody wrote: an object, or null. */
export function readObject(text: string): Json | null {
  const value = text.trim() === '' ? {} : parseValue(text)
  return isObject(value) ? value : null
}
