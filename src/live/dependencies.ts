/**
 * What a query depends on: for each table it reads, which rows can change its
 * result. A nested or filtered-by table inherits equalities through the columns
 * it is joined by, so that `sessions_by_pk(id: X) { deliveries { … } }` depends
 * on the deliveries of X and not on all.
 */
import { everyTeam } from '../access/every-team.ts'
import type { SessionVariables } from '../access/principal.ts'
import type { Model, Relation } from '../tables/model.ts'
import type { Predicate } from '../tables/predicate.ts'
import type { AggregatePart, Root, Rows, Selected } from '../tables/query.ts'
import type { RoleView } from '../tables/role-view.ts'

export interface Dependency {
  readonly table: string
  /** Session variables are filled in; related tables appear as `exists`, which routing leaves open. */
  readonly predicate: Predicate
}

/** The dependencies of root fields; pure. */
export function dependenciesOf(
  roots: readonly Root[],
  view: RoleView,
  variables: SessionVariables,
): readonly Dependency[] {
  const walk = new Walk(view, variables)
  for (const root of roots) {
    if (root.kind === 'typename') continue
    if (root.kind === 'aggregate') walk.parts(root.parts, walk.rows(root.rows, []))
    else walk.fields(root.fields, walk.rows(root.rows, []))
  }
  return walk.found
}

const manySpellings = new Set(['timestamptz', 'float8', 'numeric', 'int8', 'jsonb', 'bytea'])

type Equalities = ReadonlyMap<string, readonly unknown[]>

class Walk {
  readonly found: Dependency[] = []
  readonly #view: RoleView
  readonly #model: Model
  readonly #variables: SessionVariables

  constructor(view: RoleView, variables: SessionVariables) {
    this.#view = view
    this.#model = view.model
    this.#variables = variables
  }

  /** Adds the rows' own table and what filters and orders them; returns the equalities that hold for them. */
  rows({ from, where, orderBy }: Rows, inherited: readonly Predicate[]): Equalities {
    const predicate = this.#filled({ kind: 'and', of: [from.filter, where, ...inherited] })
    const equalities = equalitiesOf(predicate)
    this.found.push({ table: from.table.name, predicate })
    this.#exists(from.filter, from.table.name, equalities, false)
    this.#exists(where, from.table.name, equalities, true)
    for (const { through } of orderBy) {
      let known = equalities
      for (const { relation, to } of through) {
        const joined = this.#filled({ kind: 'and', of: [to.filter, ...carried(known, relation)] })
        this.found.push({ table: to.table.name, predicate: joined })
        known = equalitiesOf(joined)
      }
    }
    return equalities
  }

  fields(fields: readonly Selected[], parent: Equalities): void {
    for (const field of fields) {
      if (field.kind !== 'related' && field.kind !== 'aggregate') continue
      const own = this.rows(field.rows, carried(parent, field.relation))
      if (field.kind === 'related') this.fields(field.fields, own)
      else this.parts(field.parts, own)
    }
  }

  parts(parts: readonly AggregatePart[], own: Equalities): void {
    for (const part of parts) if (part.kind === 'nodes') this.fields(part.fields, own)
  }

  /** Tables that a predicate looks into. A caller's predicate also depends on the filter of what it may see there. */
  #exists(predicate: Predicate, table: string, known: Equalities, fromCaller: boolean): void {
    if (predicate.kind === 'and' || predicate.kind === 'or') {
      for (const part of predicate.of) this.#exists(part, table, known, fromCaller)
    } else if (predicate.kind === 'not') {
      this.#exists(predicate.of, table, known, fromCaller)
    } else if (predicate.kind === 'exists') {
      const relation = this.#model.get(table)?.relations.get(predicate.relation)
      if (!relation) return
      const filter = fromCaller ? this.#view.tables.get(relation.table)?.filter : undefined
      // Rows of a negated or alternative clause matter too: only what the join itself says is carried over.
      const joined = this.#filled({
        kind: 'and',
        of: [predicate.of, ...(filter ? [filter] : []), ...carried(known, relation)],
      })
      this.found.push({ table: relation.table, predicate: joined })
      const equalities = equalitiesOf(joined)
      this.#exists(predicate.of, relation.table, equalities, fromCaller)
      if (filter) this.#exists(filter, relation.table, equalities, false)
    }
  }

  /** The predicate with the caller's session variables as values. */
  #filled(predicate: Predicate): Predicate {
    switch (predicate.kind) {
      case 'and':
      case 'or':
        return { kind: predicate.kind, of: predicate.of.map((part) => this.#filled(part)) }
      case 'not':
        return { kind: 'not', of: this.#filled(predicate.of) }
      case 'compare': {
        const { operand } = predicate
        if (operand.kind !== 'variable') return predicate
        const value = this.#variables[operand.name] ?? null
        if (predicate.operator === '_in' && value === everyTeam) {
          return { ...predicate, operator: '_is_null', operand: { kind: 'value', value: false } }
        }
        return { ...predicate, operand: { kind: 'value', value } }
      }
      default:
        return predicate
    }
  }
}

/**
 * Columns that must equal one of some values for the predicate to hold.
 *
 * @internal also used by the index of dependencies
 */
export function equalitiesOf(predicate: Predicate): Equalities {
  const found = new Map<string, readonly unknown[]>()
  const visit = (part: Predicate): void => {
    if (part.kind === 'and') for (const inner of part.of) visit(inner)
    if (part.kind !== 'compare' || part.list || part.operand.kind !== 'value' || found.has(part.column)) return
    // One value, one spelling: only then can a change be looked up by it.
    if (manySpellings.has(part.type)) return
    const { value } = part.operand
    if (part.operator === '_eq') found.set(part.column, [value])
    if (part.operator === '_in') found.set(part.column, Array.isArray(value) ? value : value === null ? [] : [value])
  }
  visit(predicate)
  return found
}

/** The equalities of one side of a relation, said of the other side. */
function carried(known: Equalities, relation: Relation): Predicate[] {
  return relation.on.flatMap(([here, there]): Predicate[] => {
    const values = known.get(here)
    if (!values) return []
    return [
      {
        kind: 'compare',
        column: there,
        type: 'uuid',
        list: false,
        operator: '_in',
        operand: { kind: 'value', value: values },
      },
    ]
  })
}
