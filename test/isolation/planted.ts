/**
 * Rows of several teams in every exposed table, each marked with whom it
 * belongs to: a text that was seen tells whose row it came from.
 */
import type { Database } from '../../src/database/database.ts'
import { enumValues, type Model, type Table } from '../../src/tables/model.ts'
import type { Row } from '../../src/tables/predicate-memory.ts'

/** Whose a row is. Null where it is nobody's in particular: a team's own row has no integration and no session. */
export interface Owner {
  readonly team: string | null
  readonly integration: string | null
  readonly session: string | null
}

export interface Planted {
  readonly teams: readonly string[]
  readonly rows: ReadonlyMap<string, readonly Row[]>
  /** Owners by the id of the row. */
  readonly owners: ReadonlyMap<string, Owner>
  /** Owners of the marks in a text. */
  marksIn(text: string): readonly Owner[]
}

export interface PlantOptions {
  readonly model: Model
  readonly tables: readonly string[]
  /** Ids of teams and integrations that exist already, with their team. */
  readonly teams: readonly string[]
  readonly integrations: readonly { readonly id: string; readonly team: string | null }[]
  /** Rows of each table and team. */
  readonly count: number
  readonly random: (below: number) => number
}

const markPattern = /⟦(\d+)⟧/g

/** Plants rows whose references stay within a team, an integration and a session. */
export async function plant(database: Database, options: PlantOptions): Promise<Planted> {
  const { model, teams, integrations, count, random } = options
  const owners = new Map<string, Owner>()
  const marks: Owner[] = []
  const rows = new Map<string, Row[]>([
    ['teams', teams.map((id) => ({ id }))],
    ['integrations', integrations.map(({ id }) => ({ id }))],
  ])
  for (const id of teams) owners.set(id, { team: id, integration: null, session: null })
  for (const { id, team } of integrations) owners.set(id, { team, integration: id, session: null })

  const { rows: generated } = await database.pool.query<{ name: string }>(
    `select attrelid::regclass || '.' || attname as name from pg_attribute where attgenerated <> '' and attnum > 0`,
  )
  const computed = new Set(generated.map(({ name }) => name))

  for (const table of inOrder(model, options.tables)) {
    const planted = rows.get(table.name) ?? []
    for (const team of teams) {
      for (let number = 0; number < count; number += 1) {
        const row = await plantRow(table, team, number)
        if (row) planted.push(row)
      }
    }
    rows.set(table.name, planted)
  }
  return {
    teams,
    rows,
    owners,
    marksIn: (text) => [...text.matchAll(markPattern)].map(([, number]) => marks[Number(number)] as Owner),
  }

  async function plantRow(table: Table, team: string, number: number): Promise<Row | null> {
    const references = new Map<string, string | null>()
    let owner: Owner = { team, integration: null, session: null }
    for (const { column, parent, required } of foreignKeys(table)) {
      const candidates = (rows.get(parent) ?? []).filter(({ id }) => fits(owners.get(id as string), owner))
      if (candidates.length === 0) {
        if (required) return null
        references.set(column, null)
        continue
      }
      const chosen = candidates[random(candidates.length)]?.id as string
      references.set(column, chosen)
      owner = join(owner, owners.get(chosen))
    }
    const mark = `⟦${marks.push(owner) - 1}⟧`
    const values: Record<string, unknown> = {}
    for (const column of table.columns.values()) {
      const reference = references.get(column.name)
      if (reference !== undefined) values[column.name] = reference
      else if ((column.name === 'id' && column.hasDefault) || computed.has(`${table.name}.${column.name}`)) continue
      else values[column.name] = fill(table, column.name, mark, number, team)
    }
    Object.assign(values, consistent(table, values, number))
    const names = Object.keys(values).filter((name) => values[name] !== undefined)
    const columns = names.map((name) => `"${name}"`).join(', ')
    const { rows: inserted } = await database.pool.query(
      `insert into ${table.name} (${columns})
       select ${columns} from jsonb_populate_record(null::${table.name}, $1) on conflict do nothing returning *`,
      [JSON.stringify(values)],
    )
    const row = inserted[0]
    if (!row) return null
    const own = whose(table, row.id, owner)
    marks[marks.length - 1] = own
    owners.set(row.id, own)
    return JSON.parse(JSON.stringify(row)) as Row
  }

  function fill(table: Table, name: string, mark: string, number: number, team: string): unknown {
    const column = table.columns.get(name)
    if (!column) return undefined
    if (column.enum) return enumValues[column.type]?.[random(enumValues[column.type]?.length ?? 1)]
    if (name === 'position' && column.hasDefault) return undefined
    if (column.list) return column.type === 'text' ? [mark] : undefined
    if (name === 'team_id') return team
    switch (column.type) {
      case 'text':
        return `${mark} ${table.name} ${name} ${number}`
      case 'jsonb':
        return { mark, [mark]: [mark, number] }
      case 'timestamptz':
        return column.required && !column.hasDefault ? '2999-01-01T00:00:00Z' : undefined
      case 'bytea':
        return `\\x${Buffer.from(`${mark}${number}`).toString('hex')}`
      case 'int4':
      case 'int8':
      case 'float8':
        return column.hasDefault ? undefined : number + 1
      case 'uuid':
        return column.required ? crypto.randomUUID() : undefined
      default:
        return undefined
    }
  }

  /** What the database demands beyond types, and states of which every kind should occur. */
  function consistent(table: Table, values: Record<string, unknown>, number: number): Row {
    const oneTarget = () =>
      values.webhook_id && (number % 2 === 0 || !values.connection_id) ? { connection_id: null } : { webhook_id: null }
    switch (table.name) {
      case 'sessions':
        return {
          id: crypto.randomUUID(),
          status: number % 5 === 4 ? 'invalid' : 'submitted',
          purged_at: undefined,
        }
      case 'session_grants':
        return {
          expires_at: number % 4 === 2 ? '2001-01-01T00:00:00Z' : '2999-01-01T00:00:00Z',
          revoked_at: number % 4 === 3 ? '2026-01-01T00:00:00Z' : null,
        }
      case 'deliveries':
        return number % 3 === 0 && values.operational_event_id
          ? { ...oneTarget(), event_id: null, session_id: null }
          : { ...oneTarget(), operational_event_id: null }
      case 'replays':
        return oneTarget()
      case 'operational_events':
        return number % 2 === 0 ? { connection_id: null } : { webhook_id: null }
      case 'team_members':
        // An editor sees to editors and viewers, not to a team's administrators.
        return { role: number % 2 === 0 ? 'editor' : 'viewer' }
      case 'users':
        return { is_admin: false, disabled_at: null }
      case 'audit_entries':
        return { session_ids: [] }
      default:
        return {}
    }
  }
}

interface ForeignKey {
  readonly column: string
  readonly parent: string
  readonly required: boolean
}

/** A session and an integration are their own, and connectors are the platform's. */
function whose({ name }: Table, id: string, owner: Owner): Owner {
  if (name === 'sessions') return { ...owner, session: id }
  if (name === 'integrations') return { ...owner, integration: id }
  return name === 'connectors' ? { team: null, integration: null, session: null } : owner
}

/** What binds the rest of a row comes first: an event has one session, a session may have many events. */
const deciding = ['session_events', 'sessions', 'integrations', 'webhooks', 'connections']

function foreignKeys(table: Table): ForeignKey[] {
  const rank = (parent: string) => (deciding.includes(parent) ? deciding.indexOf(parent) : deciding.length)
  return [...table.relations.values()]
    .filter(({ list, on, table: parent }) => !list && parent !== 'teams' && table.columns.has(on[0]?.[0] as string))
    .filter(({ on }) => on[0]?.[1] === 'id' && on[0][0] !== 'id')
    .map(({ on, table: parent }) => {
      const column = on[0]?.[0] as string
      return { column, parent, required: table.columns.get(column)?.required ?? false }
    })
    .toSorted((a, b) => rank(a.parent) - rank(b.parent))
}

/** Parents before children. */
function inOrder(model: Model, names: readonly string[]): Table[] {
  const done = new Set(['teams', 'integrations'])
  const order: Table[] = []
  const visit = (name: string, path: readonly string[]) => {
    const table = model.get(name)
    if (done.has(name) || path.includes(name) || !table || !names.includes(name)) return
    for (const { parent } of foreignKeys(table)) visit(parent, [...path, name])
    if (done.has(name)) return
    done.add(name)
    order.push(table)
  }
  for (const name of names) visit(name, [])
  return order
}

function fits(parent: Owner | undefined, owner: Owner): boolean {
  if (!parent) return false
  const agrees = (key: keyof Owner) => parent[key] === null || owner[key] === null || parent[key] === owner[key]
  return agrees('team') && agrees('integration') && agrees('session')
}

function join(owner: Owner, parent: Owner | undefined): Owner {
  return {
    team: owner.team,
    integration: owner.integration ?? parent?.integration ?? null,
    session: owner.session ?? parent?.session ?? null,
  }
}

/** A linear congruential generator: the same rows for the same seed. */
export function randomFrom(start: number): (below: number) => number {
  let state = start
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
}
