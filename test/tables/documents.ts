/** Random valid operations over what a role may read. */
import fc, { type GeneratorValue } from 'fast-check'
import { type Column, enumValues } from '../../src/tables/model.ts'
import { operators, operatorsOf } from '../../src/tables/predicate.ts'
import type { Row } from '../../src/tables/predicate-memory.ts'
import { comparable, type RoleView, type VisibleTable } from '../../src/tables/role-view.ts'
import { scalarOf } from '../../src/tables/scalars.ts'
import type { Rows } from './rows.ts'

export interface RandomOperation {
  readonly document: string
  readonly variables: Readonly<Record<string, unknown>>
  /** Each `order_by` with its keys as written, found by `keyless` of its coerced value. */
  readonly written: ReadonlyMap<string, unknown>
}

/** Equal for values that differ only in the order of keys. */
export function keyless(value: unknown): string {
  return JSON.stringify(value, (_, item) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  )
}

/** An enum's value, which stands without quotes in a document. */
class Name {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
  toJSON(): string {
    return this.name
  }
}

const directions = ['asc', 'desc', 'asc_nulls_first', 'asc_nulls_last', 'desc_nulls_first', 'desc_nulls_last']

export function randomOperation(g: GeneratorValue, view: RoleView, rows: Rows): RandomOperation {
  return new Writer(g, view, rows).operation()
}

class Writer {
  readonly #g: GeneratorValue
  readonly #view: RoleView
  readonly #rows: Rows
  readonly #definitions: string[] = []
  readonly #variables: Record<string, unknown> = {}
  readonly #fragments: string[] = []
  readonly #written = new Map<string, unknown>()
  #names = 0

  constructor(g: GeneratorValue, view: RoleView, rows: Rows) {
    this.#g = g
    this.#view = view
    this.#rows = rows
  }

  operation(): RandomOperation {
    const tables = [...this.#view.tables.values()]
    const roots = this.#times(1, 3, () => this.#root(this.#pick(tables)))
    if (this.#chance(0.1)) roots.push('__typename')
    const definitions = this.#definitions.length > 0 ? `(${this.#definitions.join(', ')})` : ''
    return {
      document: [`query Random${definitions} { ${roots.join(' ')} }`, ...this.#fragments].join('\n'),
      variables: this.#variables,
      written: this.#written,
    }
  }

  #root(table: VisibleTable): string {
    const { name, primaryKey } = table.table
    const kind = this.#int(0, 5)
    if (kind === 0 && primaryKey.every((key) => table.columns.has(key))) {
      const row = this.#chance(0.8) ? this.#row(name) : undefined
      const args = primaryKey.map((key) => {
        const value = row?.[key] ?? this.#g(fc.uuid)
        return `${key}: ${this.#value(value, `${scalarOf(table.columns.get(key)?.type ?? 'uuid')}!`)}`
      })
      return `${this.#alias()}: ${name}_by_pk(${args.join(', ')}) ${this.#selection(table, 3)}`
    }
    if (kind === 1 && table.aggregate) {
      return `${this.#alias()}: ${name}_aggregate${this.#listArguments(table)} ${this.#aggregate(table, 2)}`
    }
    return `${this.#alias()}: ${name}${this.#listArguments(table)} ${this.#selection(table, 3)}`
  }

  #selection(table: VisibleTable, depth: number): string {
    return `{ ${this.#times(1, 5, () => this.#selected(table, depth)).join(' ')} }`
  }

  #selected(table: VisibleTable, depth: number): string {
    const kind = this.#int(0, 11)
    if (kind === 0) return this.#chance(0.5) ? '__typename' : `${this.#alias()}: __typename`
    if (kind === 1 && depth > 0) return `... ${this.#condition()}${this.#selection(table, depth - 1)}`
    if (kind === 2 && depth > 0)
      return `... on ${table.table.name} ${this.#condition()}${this.#selection(table, depth - 1)}`
    if (kind === 3 && depth > 0) {
      const name = `fragment_${this.#next()}`
      this.#fragments.push(`fragment ${name} on ${table.table.name} ${this.#selection(table, depth - 1)}`)
      return `...${name} ${this.#condition()}`
    }
    if (kind <= 7 && depth > 0 && table.relations.size > 0) {
      const [key, relation] = this.#pick([...table.relations])
      const other = this.#view.tables.get(relation.table) as VisibleTable
      if (!relation.list) return `${this.#alias()}: ${key} ${this.#condition()}${this.#selection(other, depth - 1)}`
      if (this.#chance(0.3) && other.aggregate) {
        return `${this.#alias()}: ${key}_aggregate${this.#listArguments(other)} ${this.#aggregate(other, depth - 1)}`
      }
      return `${this.#alias()}: ${key}${this.#listArguments(other)} ${this.#condition()}${this.#selection(other, depth - 1)}`
    }
    const column = this.#pick([...table.columns.values()])
    if (column.type === 'jsonb' && this.#chance(0.5)) {
      const path = this.#pick([
        '$',
        'a',
        '$.a[0]',
        '$.a[2].b',
        '["user.role"][1]',
        "$['é']",
        '.region',
        'b.c',
        '[1]',
        null,
      ])
      return `${this.#alias()}: ${column.name}(path: ${this.#value(path, 'String')})`
    }
    // The same response key again is merged; some keys are names that JavaScript knows.
    const key = this.#int(0, 9)
    if (key === 0) return `${this.#alias()}: ${column.name} ${this.#condition()}`
    if (key === 1)
      return `${this.#pick(['__proto__', 'constructor', 'toString', `long_${'x'.repeat(80)}`])}: ${[...table.columns.keys()][0]}`
    return `${column.name} ${this.#condition()}`
  }

  #condition(): string {
    if (this.#chance(0.85)) return ''
    return `@${this.#pick(['skip', 'include'])}(if: ${this.#value(this.#chance(0.5), 'Boolean!')}) `
  }

  #aggregate(table: VisibleTable, depth: number): string {
    const parts = this.#times(1, 3, () => {
      const kind = this.#int(0, 5)
      if (kind === 0) return '__typename'
      if (kind === 1) return `${this.#alias()}: nodes ${this.#selection(table, depth)}`
      return `${this.#alias()}: aggregate { ${this.#times(1, 3, () => this.#function(table)).join(' ')} }`
    })
    return `{ ${parts.join(' ')} }`
  }

  #function(table: VisibleTable): string {
    const columns = [...table.columns.values()].filter((column) => !column.list)
    const numeric = columns.filter(({ type }) => ['int4', 'int8', 'float8', 'numeric'].includes(type))
    const ordered = columns.filter(
      ({ type, enum: isEnum }) => isEnum || ['int4', 'int8', 'float8', 'text', 'timestamptz', 'uuid'].includes(type),
    )
    const kind = this.#int(0, 4)
    if (kind === 0) return '__typename'
    if (kind === 1 && numeric.length > 0) {
      const spread = ['avg', 'sum', 'stddev', 'stddev_pop', 'stddev_samp', 'var_pop', 'var_samp', 'variance']
      return `${this.#alias()}: ${this.#pick(spread)} { ${this.#names_(numeric)} }`
    }
    if (kind <= 3 && ordered.length > 0) {
      return `${this.#alias()}: ${this.#pick(['min', 'max'])} { __typename ${this.#names_(ordered)} }`
    }
    const of = this.#times(0, 2, () => new Name(this.#pick([...comparable(table).keys()])))
    const args = [
      ...(of.length > 0 ? [`columns: ${this.#value(of, `[${table.table.name}_select_column!]`)}`] : []),
      ...(this.#chance(0.5) ? [`distinct: ${this.#value(this.#chance(0.7), 'Boolean')}`] : []),
    ]
    return `${this.#alias()}: count${args.length > 0 ? `(${args.join(', ')})` : ''}`
  }

  #names_(columns: readonly Column[]): string {
    return this.#times(1, 3, () => this.#pick(columns).name).join(' ')
  }

  /** Always with an order: without one, which rows a limit leaves is Postgres's choice. */
  #listArguments(table: VisibleTable): string {
    const { name } = table.table
    const args: string[] = []
    if (this.#chance(0.2)) {
      const columns = [...new Set(this.#times(1, 2, () => this.#pick([...comparable(table).keys()])))]
      args.push(
        `distinct_on: ${this.#value(
          columns.map((column) => new Name(column)),
          `[${name}_select_column!]`,
        )}`,
      )
      if (this.#chance(0.5)) {
        const order = [
          ...columns.toReversed().map((column) => ({ [column]: this.#direction() })),
          ...this.#orderBy(table),
        ]
        args.push(`order_by: ${this.#ordering(order, name)}`)
      }
    } else args.push(`order_by: ${this.#ordering(this.#orderBy(table), name)}`)
    if (this.#chance(0.5)) args.push(`where: ${this.#value(this.#where(table, 3), `${name}_bool_exp`)}`)
    if (this.#chance(0.4)) args.push(`limit: ${this.#value(this.#pick([0, 1, 2, 5, 20, null]), 'Int')}`)
    if (this.#chance(0.2)) args.push(`offset: ${this.#value(this.#pick([0, 1, 3, null]), 'Int')}`)
    return `(${args.join(', ')})`
  }

  #orderBy(table: VisibleTable): Record<string, unknown>[] {
    return this.#times(1, 2, () => Object.assign({}, ...this.#times(1, 2, () => this.#orderEntry(table, 2))))
  }

  #orderEntry(table: VisibleTable, depth: number): Record<string, unknown> {
    const relations = [...table.relations]
    if (depth > 0 && relations.length > 0 && this.#chance(0.3)) {
      const [key, relation] = this.#pick(relations)
      const other = this.#view.tables.get(relation.table) as VisibleTable
      if (!relation.list) return { [key]: this.#orderEntry(other, depth - 1) }
      if (other.aggregate) {
        if (this.#chance(0.5)) return { [`${key}_aggregate`]: { count: this.#direction() } }
        const column = this.#pick(
          [...other.columns.values()].filter(
            ({ type, list }) => !list && ['text', 'timestamptz', 'uuid', 'int4'].includes(type),
          ),
        )
        return { [`${key}_aggregate`]: { [this.#pick(['min', 'max'])]: { [column.name]: this.#direction() } } }
      }
    }
    const column = this.#pick([...comparable(table).values()].filter(({ list }) => !list))
    return { [column.name]: this.#direction() }
  }

  #direction(): Name {
    return new Name(this.#pick(directions))
  }

  #ordering(order: Record<string, unknown>[], table: string): string {
    const value = order.length === 1 && this.#chance(0.5) ? order[0] : order
    const key = keyless(order)
    // The coerced value does not tell two writings apart, so the first is written again.
    const known = this.#written.get(key)
    if (known) return this.#value(known, `[${table}_order_by!]`)
    this.#written.set(key, value)
    return this.#value(value, `[${table}_order_by!]`)
  }

  #where(table: VisibleTable, depth: number): Record<string, unknown> {
    const kind = depth > 0 ? this.#int(0, 9) : 9
    if (kind === 0) return { _and: this.#times(0, 2, () => this.#where(table, depth - 1)) }
    if (kind === 1) return { _or: this.#times(0, 2, () => this.#where(table, depth - 1)) }
    if (kind === 2) return { _not: this.#where(table, depth - 1) }
    const relations = [...table.relations]
    if (kind <= 4 && relations.length > 0) {
      const [key, relation] = this.#pick(relations)
      const other = this.#view.tables.get(relation.table) as VisibleTable
      if (!relation.list || !other.aggregate || this.#chance(0.6)) return { [key]: this.#where(other, depth - 1) }
      const columns = this.#times(0, 2, () => new Name(this.#pick([...comparable(other).keys()])))
      return {
        [`${key}_aggregate`]: {
          count: {
            predicate: { [this.#pick(['_eq', '_gt', '_lte', '_neq'])]: this.#int(0, 3) },
            ...(this.#chance(0.5) ? { filter: this.#where(other, depth - 1) } : {}),
            ...(columns.length > 0 ? { arguments: columns, distinct: this.#chance(0.5) } : {}),
          },
        },
      }
    }
    return this.#comparison(table)
  }

  #comparison(table: VisibleTable): Record<string, unknown> {
    const column = this.#pick([...comparable(table).values()])
    const operator = this.#pick(operatorsOf(column))
    const value = () => this.#row(table.table.name)?.[column.name] ?? this.#fallback(column)
    const right = column.list && operator !== '_is_null' ? 'array' : operators[operator].right
    switch (right) {
      case 'boolean':
        return { [column.name]: { [operator]: this.#chance(0.5) } }
      case 'list':
        return { [column.name]: { [operator]: this.#times(0, 3, value) } }
      case 'array':
        return { [column.name]: { [operator]: value() } }
      case 'text': {
        const patterns = operator.includes('like')
          ? ['%a%', '_', 'É%', '%\\%'.concat('%'), '', 'n%h']
          : ['a', 'e?n', 'no(rth|x)', '[a-c]+']
        return {
          [column.name]: { [operator]: operator === '_has_key' ? this.#pick(['a', 'b', 'é']) : this.#pick(patterns) },
        }
      }
      case 'texts':
        return { [column.name]: { [operator]: this.#times(0, 2, () => this.#pick(['a', 'b', 'region', 'é'])) } }
      default:
        return { [column.name]: { [operator]: value() } }
    }
  }

  #fallback({ type, list }: Column): unknown {
    if (list) return []
    return (
      { uuid: this.#g(fc.uuid), bool: true, int4: 1, int8: 1, float8: 0.5, timestamptz: '2026-04-15', jsonb: { a: 1 } }[
        type as 'uuid'
      ] ?? (type === 'text' ? 'a' : enumValues[type]?.[0])
    )
  }

  /** As a literal in the document, or as a variable. */
  #value(value: unknown, type: string): string {
    const literal = this.#chance(0.6) ? literalOf(value) : null
    if (literal !== null) return literal
    const name = `v${this.#next()}`
    // A default value stands in where no value is sent.
    const fallback = this.#chance(0.2) && !type.endsWith('!') ? literalOf(value) : null
    this.#definitions.push(`$${name}: ${type}${fallback === null ? '' : ` = ${fallback}`}`)
    if (fallback === null) this.#variables[name] = JSON.parse(JSON.stringify(value))
    return `$${name}`
  }

  #row(table: string): Row | undefined {
    const rows = this.#rows.get(table) ?? []
    return rows.length > 0 ? rows[this.#int(0, rows.length - 1)] : undefined
  }

  #alias(): string {
    return `k${this.#next()}`
  }

  #next(): number {
    this.#names += 1
    return this.#names
  }

  #int(min: number, max: number): number {
    return this.#g(fc.nat, { max: max - min }) + min
  }

  #chance(probability: number): boolean {
    return this.#int(0, 99) < probability * 100
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#int(0, items.length - 1)] as T
  }

  #times<T>(least: number, most: number, make: () => T): T[] {
    return Array.from({ length: this.#int(least, most) }, make)
  }
}

/** GraphQL's literal for a value; null where it has none, as for keys that are no names. */
function literalOf(value: unknown): string | null {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return String(value)
  if (typeof value === 'string') return JSON.stringify(value)
  if (value instanceof Name) return value.name
  if (Array.isArray(value)) {
    const items = value.map(literalOf)
    return items.includes(null) ? null : `[${items.join(', ')}]`
  }
  const fields = Object.entries(value as object).map(([key, item]) => {
    const literal = literalOf(item)
    return /^[A-Za-z_]\w*$/.test(key) && literal !== null ? `${key}: ${literal}` : null
  })
  return fields.includes(null) ? null : `{${fields.join(', ')}}`
}
