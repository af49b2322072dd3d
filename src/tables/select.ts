/**
 * Queries to SQL. However many root fields an operation has and however deep it
 * goes, it becomes one statement that returns the operation's `data` as JSON
 * text. Where a consumer reads a session's data, the same statement writes the
 * audit entry and starts the retention clock: no data leaves without its row.
 */
import type { Principal } from '../access/principal.ts'
import type { Model, Relation } from './model.ts'
import type { Predicate } from './predicate.ts'
import { type PredicateSqlContext, predicateToSql } from './predicate-sql.ts'
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
  /** Days that a grant lives on after its first retrieval. */
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
      ? retrievalStatement(
          `select ${data}, concat_ws(',', ${sessions.join(', ')}) as sessions ${from}`,
          select.writer,
          context,
        )
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
 * their grants' short clock starts at the first time, and the audit entry is
 * written, in the statement that returns the data.
 */
function retrievalStatement(answer: string, writer: SqlWriter, context: SelectContext, columns = 'data'): string {
  const { principal, request, retentionAfterRetrievalDays } = context
  const integration = writer.value(principal.integrationId, 'uuid')
  return `with answer as materialized (${answer}),
retrieved as (
  select distinct id::uuid as id from answer, unnest(string_to_array(answer.sessions, ',')) as id where answer.sessions <> ''
),
clock as (
  update session_grants g
     set first_retrieved_at = now(),
         expires_at = least(g.expires_at, now() + make_interval(secs => ${writer.value(retentionAfterRetrievalDays * 86_400, 'float8')}))
    from retrieved
   where g.session_id = retrieved.id and g.integration_id = ${integration} and g.first_retrieved_at is null
),
entry as (
  insert into audit_entries (team_id, integration_id, actor_kind, actor_id, operation, outcome, session_ids, address, request_id)
  select ${writer.value(principal.teamId, 'uuid')}, ${integration}, ${writer.value(principal.kind, 'text')},
         ${writer.value(principal.id, 'text')}, ${writer.value(request.operation, 'text')}, 'granted', ids,
         ${writer.value(request.address, 'text')}, ${writer.value(request.id, 'text')}
    from (select array_agg(id) as ids from retrieved) handed where ids is not null
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
  readonly #model: Model

  constructor({ view, principal }: SelectContext) {
    this.#view = view
    this.#model = view.model
    this.#predicates = { writer: this.writer, model: view.model, variables: principal.variables }
  }

  root(root: Exclude<Root, { kind: 'typename' | 'stream' }>): Part {
    if (root.kind === 'aggregate') return this.#aggregate(root.rows, root.parts, null)
    return root.kind === 'one' ? this.#rows(root.rows, root.fields, null) : this.#list(root.rows, root.fields, null)
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
    const { base, alias, order } = this.#base(batch, null, bounds)
    const { object, joins, sessions } = this.#object(batch, fields, alias)
    const [cursorKey, positionKey] = step.phase === 'follow' ? ['o1', 'o0'] : ['o0', 'o1']
    const retrieved = sessions.length > 0 ? `, concat_ws(',', ${sessions.join(', ')}) as sessions` : ''
    const row = `select ${object} as json, json_build_array(${alias}.${cursorKey}::text, ${alias}.${positionKey}) as cursor${retrieved} from (${base}) ${alias}${joins}${order}`
    const outer = this.writer.alias()
    return {
      sql: `select coalesce(json_agg(${outer}.json), '[]'::json) as json, (json_agg(${outer}.cursor) -> -1)::text as cursor, count(*)::text as count${sessions.length > 0 ? `, string_agg(${outer}.sessions, ',') as sessions` : ''} from (${row}) ${outer}`,
      retrieves: sessions.length > 0,
    }
  }

  #list(rows: Rows, fields: readonly Selected[], parent: Parent | null): Part {
    const inner = this.#rows(rows, fields, parent)
    const alias = this.writer.alias()
    const sessions = inner.retrieves ? `, string_agg(${alias}.sessions, ',') as sessions` : ''
    return {
      sql: `select coalesce(json_agg(${alias}.json), '[]'::json) as json${sessions} from (${inner.sql}) ${alias}`,
      retrieves: inner.retrieves,
    }
  }

  /** One output row per table row: `json`, and `sessions` where data is handed over. */
  #rows(rows: Rows, fields: readonly Selected[], parent: Parent | null): Part {
    const { base, alias, order } = this.#base(rows, parent)
    const { object, joins, sessions } = this.#object(rows, fields, alias)
    const retrieved = sessions.length > 0 ? `, concat_ws(',', ${sessions.join(', ')}) as sessions` : ''
    return {
      sql: `select ${object} as json${retrieved} from (${base}) ${alias}${joins}${order}`,
      retrieves: sessions.length > 0,
    }
  }

  /** The table's rows that are visible and asked for, cut to size before anything is joined to them. */
  #base(
    rows: Rows,
    parent: Parent | null,
    bounds: (alias: string) => readonly string[] = () => [],
  ): { base: string; alias: string; order: string } {
    const inner = this.writer.alias()
    const alias = this.writer.alias()
    const { table, filter } = rows.from
    const conditions = parent
      ? parent.relation.on.map(([here, there]) => `${inner}.${name(there)} = ${parent.alias}.${name(here)}`)
      : []
    conditions.push(this.#condition(filter, rows, inner, false))
    conditions.push(this.#condition(rows.where, rows, inner, true))
    const where = [...conditions.filter((condition) => condition !== 'true'), ...bounds(inner)]
    const orderings = orderFor(rows)
    const keys = orderings.map((ordering) => this.#orderKey(ordering, inner))
    const columns = [...table.columns.keys()].map((column) => `${inner}.${name(column)}`)
    const sorts = orderings.map((ordering, index) => `${keys[index]} ${directions[ordering.direction]}`)
    const sortColumns = keys.map((key, index) => `${key} as o${index}`)
    const distinct =
      rows.distinctOn.length > 0
        ? `distinct on (${rows.distinctOn.map((column) => `${inner}.${name(column)}`).join(', ')}) `
        : ''
    const limit = Math.min(rows.limit ?? rows.from.limit, rows.from.limit)
    const text = [
      `select ${distinct}${[...columns, ...sortColumns].join(', ')} from ${name(table.name)} ${inner}`,
      where.length > 0 ? ` where ${where.join(' and ')}` : '',
      sorts.length > 0 ? ` order by ${sorts.join(', ')}` : '',
      ` limit ${this.writer.value(limit, 'int')}`,
      rows.offset > 0 ? ` offset ${this.writer.value(rows.offset, 'int')}` : '',
    ].join('')
    const order = orderings.map((ordering, index) => `${alias}.o${index} ${directions[ordering.direction]}`)
    return { base: text, alias, order: order.length > 0 ? ` order by ${order.join(', ')}` : '' }
  }

  #condition(predicate: Predicate, rows: Rows, alias: string, fromCaller: boolean): string {
    // A caller's expression over related rows only sees rows that the caller may see.
    const visible = fromCaller ? (table: { name: string }) => this.#filterOf(table.name) : undefined
    return predicateToSql(predicate, rows.from.table, alias, { ...this.#predicates, visible })
  }

  #filterOf(table: string): Predicate {
    return this.#view.tables.get(table)?.filter ?? { kind: 'or', of: [] }
  }

  #orderKey({ through, column, among }: Ordering, alias: string): string {
    const [first, ...rest] = through
    if (among) return `array_position(${this.writer.value(among, 'text[]')}, ${alias}.${name(column)}::text)`
    if (!first) return `${alias}.${name(column)}`
    const other = this.writer.alias()
    const join = first.relation.on.map(([here, there]) => `${other}.${name(there)} = ${alias}.${name(here)}`)
    const visible = predicateToSql(first.to.filter, first.to.table, other, this.#predicates)
    const value = this.#orderKey({ through: rest, column, direction: '' }, other)
    return `(select ${value} from ${name(first.to.table.name)} ${other} where ${[...join, visible].join(' and ')})`
  }

  #object(
    rows: Rows,
    fields: readonly Selected[],
    alias: string,
  ): { object: string; joins: string; sessions: string[] } {
    const joins: string[] = []
    const sessions: string[] = []
    const entries = fields.map((field): [string, string] => {
      switch (field.kind) {
        case 'typename':
          return [field.key, literal(field.value)]
        case 'column':
          if (rows.from.retrieval.has(field.column)) sessions.push(`${alias}.${name(rows.from.sessionColumn)}`)
          return [field.key, columnValue(`${alias}.${name(field.column)}`, field.path, this.writer)]
        default:
          return [field.key, this.#joined(field, alias, joins, sessions)]
      }
    })
    return { object: jsonObject(entries), joins: joins.join(''), sessions: [...new Set(sessions)] }
  }

  #joined(
    field: Selected & { kind: 'related' | 'aggregate' },
    alias: string,
    joins: string[],
    sessions: string[],
  ): string {
    const parent = { relation: field.relation, alias }
    const joined = this.writer.alias()
    const part =
      field.kind === 'aggregate'
        ? this.#aggregate(field.rows, field.parts, parent)
        : field.relation.list
          ? this.#list(field.rows, field.fields, parent)
          : this.#rows(field.rows, field.fields, parent)
    joins.push(` left join lateral (${part.sql}) ${joined} on true`)
    if (part.retrieves) sessions.push(`${joined}.sessions`)
    return `${joined}.json`
  }

  #aggregate(rows: Rows, parts: readonly AggregatePart[], parent: Parent | null): Part {
    const unlimited = rows.limit === null ? { ...rows, from: { ...rows.from, limit: 2_147_483_647 } } : rows
    const { base, alias, order } = this.#base(unlimited, parent)
    const joins: string[] = []
    const sessions: string[] = []
    const entries = parts.map((part): [string, string] => {
      if (part.kind === 'typename') return [part.key, literal(part.value)]
      if (part.kind === 'aggregate')
        return [part.key, jsonObject(part.functions.map((one) => aggregateValue(one, alias)))]
      const made = this.#object(rows, part.fields, alias)
      joins.push(made.joins)
      sessions.push(...made.sessions)
      return [part.key, `coalesce(json_agg(${made.object}${order}), '[]'::json)`]
    })
    const retrieved = sessions.length > 0 ? `, string_agg(concat_ws(',', ${sessions.join(', ')}), ',') as sessions` : ''
    return {
      sql: `select ${jsonObject(entries)} as json${retrieved} from (${base}) ${alias}${joins.join('')}`,
      retrieves: sessions.length > 0,
    }
  }
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

/** `distinct on` needs its columns first in the order. */
function orderFor({ orderBy, distinctOn }: Rows): readonly Ordering[] {
  const leading = distinctOn.map(
    (column) =>
      orderBy.find((ordering) => ordering.through.length === 0 && ordering.column === column) ?? {
        through: [],
        column,
        direction: 'asc',
      },
  )
  return [...leading, ...orderBy.filter((ordering) => !leading.includes(ordering))]
}

function columnValue(column: string, path: readonly string[] | null, writer: SqlWriter): string {
  return path ? `${column} #> ${writer.value(path, 'text[]')}` : column
}

function aggregateValue(one: AggregateFunction, alias: string): [string, string] {
  if (one.kind === 'typename') return [one.key, literal(one.value)]
  if (one.kind === 'count') {
    if (one.columns.length === 0) return [one.key, 'count(*)']
    const columns = one.columns.map((column) => `${alias}.${name(column)}`)
    const row = columns.length === 1 ? columns[0] : `(${columns.join(', ')})`
    return [one.key, `count(${one.distinct ? 'distinct ' : ''}${row})`]
  }
  const entries = one.columns.map((column): [string, string] =>
    'typename' in column
      ? [column.key, literal(column.typename)]
      : [column.key, `${one.operation}(${alias}.${name(column.column)})`],
  )
  return [one.key, jsonObject(entries)]
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
