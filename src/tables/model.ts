/**
 * Tables as the engine sees them: names, columns, relations and keys, read from
 * the facts that `prisma/model-generator.ts` wrote from `schema.prisma`.
 */
import { enums, tables as facts } from '../database/generated/model.ts'

/** Name of a Postgres type, or of one of our enums. */
export type ColumnType =
  | 'uuid'
  | 'text'
  | 'bool'
  | 'int4'
  | 'int8'
  | 'float8'
  | 'numeric'
  | 'timestamptz'
  | 'jsonb'
  | 'bytea'
  | (string & {})

export interface Column {
  readonly name: string
  readonly type: ColumnType
  readonly enum: boolean
  readonly list: boolean
  readonly required: boolean
  readonly hasDefault: boolean
  readonly description?: string
}

/** `child.from[i] = parent.to[i]` holds between the rows of a relation, seen from the table that has it. */
export interface Relation {
  readonly name: string
  readonly table: string
  /** An array relationship (many rows) or an object relationship (one or none). */
  readonly list: boolean
  /** Pairs of `[column here, column there]`. */
  readonly on: readonly (readonly [string, string])[]
  /** An object relationship whose row always exists. */
  readonly required: boolean
}

export interface Table {
  readonly name: string
  readonly description?: string
  readonly columns: ReadonlyMap<string, Column>
  readonly relations: ReadonlyMap<string, Relation>
  readonly primaryKey: readonly string[]
  /** Unique keys beside the primary one. */
  readonly uniques: readonly (readonly string[])[]
}

export type Model = ReadonlyMap<string, Table>

export const enumValues: Readonly<Record<string, readonly string[]>> = enums

interface ColumnFacts {
  type: string
  enum: boolean
  list: boolean
  required: boolean
  hasDefault: boolean
  description?: string
}
interface RelationFacts {
  name: string
  table: string
  list: boolean
  from: readonly string[]
  to: readonly string[]
}
interface TableFacts {
  description?: string
  columns: Record<string, ColumnFacts>
  relations: Record<string, RelationFacts>
  primaryKey: readonly string[]
  uniques: readonly (readonly string[])[]
}

/** Builds the model; pure, done once per process. */
export function readModel(): Model {
  const all = facts as unknown as Record<string, TableFacts>
  return new Map(Object.entries(all).map(([name, table]) => [name, readTable(name, table, all)]))
}

function readTable(name: string, table: TableFacts, all: Record<string, TableFacts>): Table {
  const columns = new Map(Object.entries(table.columns).map(([key, column]) => [key, { name: key, ...column }]))
  const relations = new Map(
    Object.entries(table.relations).map(([key, relation]) => {
      const on = joinColumns(name, relation, all)
      const required = !relation.list && relation.from.every((column) => table.columns[column]?.required === true)
      return [
        key,
        { name: key, table: relation.table, list: relation.list, on, required: required && relation.from.length > 0 },
      ]
    }),
  )
  return {
    name,
    description: table.description,
    columns,
    relations,
    primaryKey: table.primaryKey,
    uniques: table.uniques,
  }
}

/** Only the side that holds the foreign key states its columns; the other side finds them there. */
function joinColumns(here: string, relation: RelationFacts, all: Record<string, TableFacts>): [string, string][] {
  const pairs = (from: readonly string[], to: readonly string[]) =>
    from.map((column, index): [string, string] => [column, to[index] as string])
  if (relation.from.length > 0) return pairs(relation.from, relation.to)
  const other = Object.values(all[relation.table]?.relations ?? {}).find(
    (candidate) => candidate.name === relation.name && candidate.table === here && candidate.from.length > 0,
  )
  if (!other) throw new Error(`The relation ${here}.${relation.name} has no foreign key.`)
  return pairs(other.to, other.from)
}
