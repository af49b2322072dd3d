/**
 * Queries to SQL. However many root fields an operation has and however deep it
 * goes, it becomes one statement that returns the operation's `data` as JSON
 * text. Where a session's data is read, the same statement writes the audit
 * entry and, for an integration, starts the retention clock: no data leaves
 * without its row.
 */
import type { Principal } from '../access/principal.ts'
import type { Relation, Table } from './model.ts'
import type { Predicate } from './predicate.ts'
import { countOf, ordered, type PredicateSqlContext, predicateToSql } from './predicate-sql.ts'
import type { AggregateFunction, AggregatePart, Ordering, Root, Rows, Selected, StreamStep } from './query.ts'
import type { RoleView } from './role-view.ts'
import { literal, name, SqlWriter } from './sql-writer.ts'

export interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
  /** It hands session data over, so it writes. */
  readonly retrieves: boolean
}

export interface SelectContext {
  readonly view: RoleView
  readonly principal: Principal
  /** Days that a grant lives on after its first retrieval, where the team has not set its own. */
  readonly retentionAfterRetrievalDays: number
  /** For the audit entry. */
  readonly request: { readonly id: string; readonly address: string | null; readonly operation: string }
}

/** The statement for a whole operation; its one row has one column `data`, JSON text. */
export function selectStatement(roots: readonly Root[], context: SelectContext): Statement {
  const select = new Select(context)
  const joins: string[] = []
  const sessions: string[] = []
  const entries = roots.map((root): [string, string] => {
    if (root.kind === 'typename') return [root.key, literal(root.value)]
    if (root.kind === 'stream') throw new Error('A stream has a statement of its own.')
    const alias = select.writer.alias()
    const part = select.root(root)
    joins.push(` left join (${part.sql}) ${alias} on true`)
    if (part.retrieves) sessions.push(`${alias}.sessions`)
    return [root.key, `${alias}.json`]
  })
  const from = `from (select) origin${joins.join('')}`
  const data = `${jsonObject(entries)}::text as data`
  const text =
    sessions.length > 0
      ? retrievalStatement(`select ${data}, ${joinedIds(sessions)} as sessions ${from}`, select.writer, context)
      : `select ${data} ${from}`
  return { text, values: select.writer.values, retrieves: sessions.length > 0 }
}

export type StreamRoot = Root & { readonly kind: 'stream' }

/**
 * The next batch of a stream: `data` as above, `cursor` with what its last row
 * says to continue from (JSON text `[value, position]`, or null) and `count`.
 */
export function streamStatement(root: StreamRoot, step: StreamStep, context: SelectContext): Statement {
  const select = new Select(context)
  const part = select.stream(root, step)
  const data = `${jsonObject([[root.key, 'batch.json']])}::text as data, batch.cursor, batch.count`
  const from = `from (${part.sql}) batch`
  const text = part.retrieves
    ? retrievalStatement(`select ${data}, batch.sessions ${from}`, select.writer, context, 'data, cursor, count')
    : `select ${data} ${from}`
  return { text, values: select.writer.values, retrieves: part.retrieves }
}

/**
 * Wraps an answer whose `sessions` lists the ids of the sessions it hands over:
 * an integration's grants' short clock starts at the first time, and the audit
 * entry is written, in the statement that returns the data. A credential reads
 * for its team; people, and integrations of no team, for the team of each session.
 */
function retrievalStatement(answer: string, writer: SqlWriter, context: SelectContext, columns = 'data'): string {
  const { principal, request, retentionAfterRetrievalDays, view } = context
  const integration = writer.value(principal.integrationId, 'uuid')
  const clock = () => `
clock as (
  update session_grants g
     set first_retrieved_at = now(),
         expires_at = least(g.expires_at, now() + retention_after_retrieval(g.team_id, ${writer.value(retentionAfterRetrievalDays, 'float8')}))
    from retrieved
   where g.session_id = retrieved.id and g.integration_id = ${integration} and g.first_retrieved_at is null
),`
  // Two texts: one with coalesce() would be cheaper to plan anew each time than to keep, and cost 300 µs each time.
  const byTeam =
    'select s.team_id, array_agg(s.id) as ids from retrieved join sessions s on s.id = retrieved.id group by s.team_id'
  const ofTeam = () =>
    `select ${writer.value(principal.teamId, 'uuid')} as team_id, array_agg(id) as ids from retrieved`
  return `with answer as materialized (${answer}),
retrieved as (
  select distinct id::uuid as id from answer, unnest(string_to_array(answer.sessions, ',')) as id
),${view.role === 'consumer' ? clock() : ''}
entry as (
  insert into audit_entries (team_id, integration_id, actor_kind, actor_id, role, operation, outcome, session_ids, address, request_id)
  select team_id, ${integration}, ${writer.value(principal.kind, 'text')},
         ${writer.value(principal.id, 'text')}, ${writer.value(view.role, 'text')}, ${writer.value(request.operation, 'text')}, 'granted', ids,
         ${writer.value(request.address, 'text')}, ${writer.value(request.id, 'text')}
    from (${principal.teamId === null ? byTeam : ofTeam()}) handed
   where ids is not null
)
select ${columns} from answer`
}

interface Part {
  /** A select with a column `json` and, where data is handed over, `sessions`. */
  readonly sql: string
  readonly retrieves: boolean
}

class Select {
  readonly writer = new SqlWriter()
  readonly #view: RoleView
  readonly #predicates: PredicateSqlContext

  constructor({ view, principal }: SelectContext) {
    this.#view = view
    this.#predicates = { writer: this.writer, model: view.model, variables: principal.variables }
  }

  root(root: Exclude<Root, { kind: 'typename' | 'stream' }>): Part {
    if (root.kind === 'aggregate') return this.#aggregate(root.rows, root.parts, null)
    return root.kind === 'one' ? this.#one(root.rows, root.fields, null) : this.#list(root.rows, root.fields, null)
  }

  /** Columns `json`, `cursor`, `count` and, where data is handed over, `sessions`. */
  stream({ rows, fields, cursor, batchSize }: StreamRoot, step: StreamStep): Part {
    const { column, from, ascending } = cursor
    const type = rows.from.table.columns.get(column)?.type ?? 'text'
    const beyond = ascending ? '>' : '<'
    const value = (given: unknown) => this.writer.value(given, type)
    const bounds = (alias: string): string[] => {
      const at = `${alias}.${name(column)}`
      const position = `${alias}."position"`
      const start = () => (from === null ? [] : [`${at} ${beyond} ${value(from)}`])
      if (step.phase === 'follow') {
        return [
          ...start(),
          `${position} > ${this.writer.value(step.after, 'text')}`,
          `${position} < position_horizon()`,
        ]
      }
      const after = step.after
        ? [
            `(${at}, ${position}) ${beyond} (${value(step.after.value)}, ${this.writer.value(step.after.position, 'text')})`,
          ]
        : start()
      return [...after, `${position} < ${this.writer.value(step.horizon, 'text')}`]
    }
    const direction = step.phase === 'follow' || ascending ? 'asc' : 'desc'
    const orderBy = (step.phase === 'follow' ? ['position', column] : [column, 'position']).map((key) => ({
      through: [],
      column: key,
      direction,
    }))
    const batch = {
      ...rows,
      from: { ...rows.from, limit: batchSize },
      orderBy,
      distinctOn: [],
      limit: batchSize,
      offset: 0,
    }
    const alias = this.writer.alias()
    const { object, joins, sessions, columns } = this.#object(batch, fields, alias)
    const { base, order } = this.#base(batch, null, alias, columns, { bounds })
    const [cursorKey, positionKey] = step.phase === 'follow' ? ['o1', 'o0'] : ['o0', 'o1']
    const retrieved = sessions.length > 0 ? `, ${joinedIds(sessions)} as sessions` : ''
    const row = `select ${object} as json, json_build_array(${alias}.${cursorKey}::text, ${alias}.${positionKey}) as cursor${retrieved} from (${base}) ${alias}${joins}${order}`
    const outer = this.writer.alias()
    return {
      sql: `select coalesce(json_agg(${outer}.json), '[]'::json) as json, (json_agg(${outer}.cursor) -> -1)::text as cursor, count(*)::text as count${sessions.length > 0 ? `, string_agg(${outer}.sessions, ',') as sessions` : ''} from (${row}) ${outer}`,
      retrieves: sessions.length > 0,
    }
  }

  #list(rows: Rows, fields: readonly Selected[], parent: Parent | null): Part {
    const alias = this.writer.alias()
    const { object, joins, sessions, columns } = this.#object(rows, fields, alias)
    const { base, order } = this.#base(rows, parent, alias, columns)
    const retrieved = sessions.length > 0 ? `, string_agg(${joinedIds(sessions)}, ',') as sessions` : ''
    return {
      sql: `select coalesce(json_agg(${object}${order}), '[]'::json) as json${retrieved} from (${base}) ${alias}${joins}`,
      retrieves: sessions.length > 0,
    }
  }

  /** The row of a primary key, or of an object relationship: there is at most one, so it needs no limit. */
  #one(rows: Rows, fields: readonly Selected[], parent: Parent | null): Part {
    const alias = this.writer.alias()
    const { object, joins, sessions, columns } = this.#object(rows, fields, alias)
    const { base } = this.#base(rows, parent, alias, columns, { unlimited: true })
    const retrieved = sessions.length > 0 ? `, ${joinedIds(sessions)} as sessions` : ''
    return {
      sql: `select ${object} as json${retrieved} from (${base}) ${alias}${joins}`,
      retrieves: sessions.length > 0,
    }
  }

  /** The table's rows that are visible and asked for, under `alias`, cut to size before anything is joined to them. */
  #base(
    rows: Rows,
    parent: Parent | null,
    alias: string,
    columns: Iterable<string>,
    { bounds, unlimited = false }: BaseOptions = {},
  ): { base: string; order: string } {
    const inner = this.writer.alias()
    const { table, filter } = rows.from
    const conditions = parent
      ? parent.relation.on.map(([here, there]) => `${inner}.${name(there)} = ${parent.alias}.${name(here)}`)
      : []
    conditions.push(this.#condition(filter, rows, inner, false))
    conditions.push(this.#condition(rows.where, rows, inner, true))
    const where = [...conditions.filter((condition) => condition !== 'true'), ...(bounds?.(inner) ?? [])]
    const orderings = orderFor(rows)
    const keys = orderings.map((ordering) => this.#orderKey(ordering, inner, table))
    const sorts = orderings.map((ordering, index) => `${keys[index]} ${directions[ordering.direction]}`)
    const selected = [
      ...Array.from(columns, (column) => `${inner}.${name(column)}`),
      ...keys.map((key, index) => `${key} as o${index}`),
    ]
    const text = [
      `select ${this.#distinct(rows, inner)}${selected.join(', ')} from ${name(table.name)} ${inner}`,
      where.length > 0 ? ` where ${where.join(' and ')}` : '',
      sorts.length > 0 ? ` order by ${sorts.join(', ')}` : '',
      unlimited ? '' : ` limit ${this.writer.value(Math.min(rows.limit ?? rows.from.limit, rows.from.limit), 'int')}`,
      rows.offset > 0 ? ` offset ${this.writer.value(rows.offset, 'int')}` : '',
    ].join('')
    const order = orderings.map((ordering, index) => `${alias}.o${index} ${directions[ordering.direction]}`)
    return { base: text, order: order.length > 0 ? ` order by ${order.join(', ')}` : '' }
  }

  #distinct({ from, distinctOn }: Rows, alias: string): string {
    if (distinctOn.length === 0) return ''
    return `distinct on (${distinctOn.map((column) => columnKey(from.table, column, alias)).join(', ')}) `
  }

  #condition(predicate: Predicate, rows: Rows, alias: string, fromCaller: boolean): string {
    // A caller's expression over related rows only sees rows that the caller may see.
    const visible = fromCaller ? (table: { name: string }) => this.#filterOf(table.name) : undefined
    return predicateToSql(predicate, rows.from.table, alias, { ...this.#predicates, visible })
  }

  #filterOf(table: string): Predicate {
    return this.#view.tables.get(table)?.filter ?? { kind: 'or', of: [] }
  }

  #orderKey(ordering: Ordering, alias: string, table: Table | null = null): string {
    const { through, column, among, aggregate } = ordering
    const [first, ...rest] = through
    if (among) return `array_position(${this.writer.value(among, 'text[]')}, ${alias}.${name(column)}::text)`
    if (!first) return columnKey(table, column, alias)
    const other = this.writer.alias()
    const join = first.relation.on.map(([here, there]) => `${other}.${name(there)} = ${alias}.${name(here)}`)
    const visible = predicateToSql(first.to.filter, first.to.table, other, this.#predicates)
    const value =
      aggregate && rest.length === 0
        ? aggregateOf(aggregate, first.to.table, column, other)
        : this.#orderKey({ ...ordering, through: rest }, other, first.to.table)
    return `(select ${value} from ${name(first.to.table.name)} ${other} where ${[...join, visible].join(' and ')})`
  }

  /** What a row shows as JSON, what is joined to it for that, and which of its columns all this needs. */
  #object(rows: Rows, fields: readonly Selected[], alias: string): RowObject {
    const joins: string[] = []
    const sessions = new Set<string>()
    const columns = new Set<string>()
    const entries = fields.map((field): [string, string] => {
      switch (field.kind) {
        case 'typename':
          return [field.key, literal(field.value)]
        case 'column':
          columns.add(field.column)
          if (rows.from.audited.has(field.column)) {
            columns.add(rows.from.sessionColumn)
            sessions.add(`${alias}.${name(rows.from.sessionColumn)}`)
          }
          return [field.key, columnValue(`${alias}.${name(field.column)}`, field.path, this.writer)]
        default:
          for (const [here] of field.relation.on) columns.add(here)
          return [field.key, this.#joined(field, alias, joins, sessions)]
      }
    })
    return { object: jsonObject(entries), joins: joins.join(''), sessions: [...sessions], columns }
  }

  #joined(
    field: Selected & { kind: 'related' | 'aggregate' },
    alias: string,
    joins: string[],
    sessions: Set<string>,
  ): string {
    const parent = { relation: field.relation, alias }
    const joined = this.writer.alias()
    const part =
      field.kind === 'aggregate'
        ? this.#aggregate(field.rows, field.parts, parent)
        : field.relation.list
          ? this.#list(field.rows, field.fields, parent)
          : this.#one(field.rows, field.fields, parent)
    joins.push(` left join lateral (${part.sql}) ${joined} on true`)
    if (part.retrieves) sessions.add(`${joined}.sessions`)
    return `${joined}.json`
  }

  /** Functions over all rows, and lists of nodes that are cut as lists are: each a select of its own. */
  #aggregate(rows: Rows, parts: readonly AggregatePart[], parent: Parent | null): Part {
    const from: string[] = []
    const sessions: string[] = []
    const entries = parts.map((part): [string, string] => {
      if (part.kind === 'typename') return [part.key, literal(part.value)]
      const made =
        part.kind === 'nodes'
          ? this.#list(rows, part.fields, parent)
          : this.#aggregateFunctions(rows, part.functions, parent)
      const alias = this.writer.alias()
      from.push(`(${made.sql}) ${alias}`)
      if (made.retrieves) sessions.push(`${alias}.sessions`)
      return [part.key, `${alias}.json`]
    })
    const retrieved = sessions.length > 0 ? `, ${joinedIds(sessions)} as sessions` : ''
    const sources = from.length > 0 ? ` from ${from.join(', ')}` : ''
    return { sql: `select ${jsonObject(entries)} as json${retrieved}${sources}`, retrieves: sessions.length > 0 }
  }

  #aggregateFunctions(rows: Rows, functions: readonly AggregateFunction[], parent: Parent | null): Part {
    const alias = this.writer.alias()
    const { table } = rows.from
    const columns = new Set(functions.flatMap(columnsOf))
    const { limit, offset, distinctOn } = rows
    const whole = limit === null && offset === 0 && distinctOn.length === 0
    // All rows have no order; a part of them has.
    const counted = whole ? { ...rows, orderBy: [] } : { ...rows, from: { ...rows.from, limit: 2_147_483_647 } }
    const { base } = this.#base(counted, parent, alias, columns, { unlimited: limit === null })
    const object = jsonObject(functions.map((one) => aggregateValue(one, table, alias)))
    // HAVING makes one row of it also where only `__typename` is asked for.
    return { sql: `select ${object} as json from (${base}) ${alias} having true`, retrieves: false }
  }
}

/** Ids with commas between them, or null: of rows that hand nothing over nothing is left. */
function joinedIds(sessions: readonly string[]): string {
  return `nullif(concat_ws(',', ${sessions.join(', ')}), '')`
}

interface RowObject {
  readonly object: string
  readonly joins: string
  readonly sessions: readonly string[]
  readonly columns: ReadonlySet<string>
}

interface BaseOptions {
  /** Conditions beside the filters. */
  readonly bounds?: (alias: string) => readonly string[]
  readonly unlimited?: boolean
}

interface Parent {
  readonly relation: Relation
  readonly alias: string
}

const directions: Readonly<Record<string, string>> = {
  asc: 'asc nulls last',
  asc_nulls_first: 'asc nulls first',
  asc_nulls_last: 'asc nulls last',
  desc: 'desc nulls first',
  desc_nulls_first: 'desc nulls first',
  desc_nulls_last: 'desc nulls last',
}

/**
 * `distinct on` needs its columns first in the order. What the caller orders by
 * may leave rows equal; the primary key then decides, so that pages neither
 * repeat nor skip a row.
 */
function orderFor({ from, orderBy, distinctOn }: Rows): readonly Ordering[] {
  const given: readonly Ordering[] =
    orderBy.length > 0 ? orderBy : distinctOn.map((column) => ({ through: [], column, direction: 'asc' }))
  if (given.length === 0) return given
  const { primaryKey, uniques, columns } = from.table
  const alone = given.flatMap((one) => (one.through.length === 0 && !one.among ? [one.column] : []))
  const decided = [primaryKey, ...uniques].some((key) =>
    key.every((column) => alone.includes(column) && columns.get(column)?.required),
  )
  return decided ? given : [...given, ...primaryKey.map((column) => ({ through: [], column, direction: 'asc' }))]
}

/** The value a column is ordered by. */
function columnKey(table: Table | null, column: string, alias: string): string {
  const value = `${alias}.${name(column)}`
  const facts = table?.columns.get(column)
  return facts ? ordered(value, facts) : value
}

function columnValue(column: string, path: readonly string[] | null, writer: SqlWriter): string {
  return path ? `${column} #> ${writer.value(path, 'text[]')}` : column
}

function aggregateValue(one: AggregateFunction, table: Table, alias: string): [string, string] {
  if (one.kind === 'typename') return [one.key, literal(one.value)]
  if (one.kind === 'count') return [one.key, countOf(one.columns, one.distinct, alias)]
  const entries = one.columns.map((column): [string, string] =>
    'typename' in column
      ? [column.key, literal(column.typename)]
      : [column.key, aggregateOf(one.operation, table, column.column, alias)],
  )
  return [one.key, jsonObject(entries)]
}

function columnsOf(one: AggregateFunction): readonly string[] {
  if (one.kind === 'count') return one.columns
  return one.kind === 'columns' ? one.columns.flatMap((column) => ('column' in column ? [column.column] : [])) : []
}

/** Text has its least and greatest by code point; uuid has none before PostgreSQL 18, but its text has the same order. */
function aggregateOf(operation: string, table: Table, column: string, alias: string): string {
  if (operation === 'count') return 'count(*)'
  const facts = table.columns.get(column)
  const value = columnKey(table, column, alias)
  return facts?.type === 'uuid' ? `${operation}(${value}::text collate "C")::uuid` : `${operation}(${value})`
}

/** `json_build_object` takes at most 50 pairs (100 arguments); longer objects are joined as text. */
function jsonObject(entries: readonly (readonly [string, string])[]): string {
  if (entries.length <= 50) {
    return `json_build_object(${entries.map(([key, value]) => `${literal(key)}, ${value}`).join(', ')})`
  }
  const head = jsonObject(entries.slice(0, 50))
  const tail = jsonObject(entries.slice(50))
  return `(left(${head}::text, -1) || ', ' || substr(${tail}::text, 2))::json`
}
