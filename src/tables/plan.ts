/**
 * A GraphQL operation to table queries. Only operations whose every root field
 * is a table root are planned; others are left to graphql-js, whose resolvers
 * plan one root field at a time.
 */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getArgumentValues,
  getDirectiveValues,
  getNamedType,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql'
import { SluiceError } from '../errors.ts'
import { parseJsonPath } from './json-path.ts'
import { always, type Predicate, parsePredicate } from './predicate.ts'
import type { AggregateFunction, AggregatePart, Ordering, Root, Rows, Selected } from './query.ts'
import type { RoleView, VisibleTable } from './role-view.ts'
import { requireValue } from './slots.ts'

export interface PlanInput {
  readonly schema: GraphQLSchema
  readonly view: RoleView
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  /** Coerced by graphql-js. */
  readonly variables: Readonly<Record<string, unknown>>
  /** As the client sent them; without them, objects in variables are in the schema's order of keys. */
  readonly sentVariables?: Readonly<Record<string, unknown>> | null
}

/** The table roots of an operation, or null when it also has other root fields. */
export function planOperation(input: PlanInput): Root[] | null {
  const type = rootType(input.schema, input.operation)
  if (input.operation.operation === 'mutation' || !type) return null
  const planner = new Planner(input)
  const roots: Root[] = []
  for (const [key, nodes] of planner.fields(type, [input.operation.selectionSet])) {
    const root = planner.root(type, key, nodes)
    if (!root) return null
    roots.push(root)
  }
  return roots
}

/** One table root field of a mixed operation. */
export function planRootField(
  input: PlanInput,
  type: GraphQLObjectType,
  key: string,
  nodes: readonly FieldNode[],
): Root {
  const root = new Planner(input).root(type, key, nodes)
  if (!root) throw new Error(`${nodes[0]?.name.value} is not a table root field`)
  return root
}

function rootType(schema: GraphQLSchema, operation: OperationDefinitionNode): GraphQLObjectType | null | undefined {
  return operation.operation === 'query' ? schema.getQueryType() : schema.getSubscriptionType()
}

type Fields = Map<string, FieldNode[]>

/** Reads selections and arguments against the schema; `mutation-plan.ts` uses it too. */
export class Planner {
  readonly #input: PlanInput
  readonly #fragments: Map<string, FragmentDefinitionNode>

  constructor(input: PlanInput) {
    this.#input = input
    this.#fragments = new Map(
      input.document.definitions.filter((one) => one.kind === 'FragmentDefinition').map((one) => [one.name.value, one]),
    )
  }

  /** GraphQL's CollectFields: fragments opened, @skip and @include applied, equal response keys merged. */
  fields(
    type: GraphQLObjectType,
    sets: readonly (SelectionSetNode | undefined)[],
    into: Fields = new Map(),
    seen = new Set<string>(),
  ): Fields {
    for (const set of sets) {
      for (const selection of set?.selections ?? []) {
        const skip = getDirectiveValues(GraphQLSkipDirective, selection, this.#input.variables)
        const include = getDirectiveValues(GraphQLIncludeDirective, selection, this.#input.variables)
        if (requireValue(skip?.if) === true || requireValue(include?.if) === false) continue
        if (selection.kind === 'Field') {
          const key = selection.alias?.value ?? selection.name.value
          const nodes = into.get(key)
          if (nodes) nodes.push(selection)
          else into.set(key, [selection])
        } else if (selection.kind === 'InlineFragment') {
          this.fields(type, [selection.selectionSet], into, seen)
        } else if (!seen.has(selection.name.value)) {
          seen.add(selection.name.value)
          this.fields(type, [this.#fragments.get(selection.name.value)?.selectionSet], into, seen)
        }
      }
    }
    return into
  }

  root(type: GraphQLObjectType, key: string, nodes: readonly FieldNode[]): Root | null {
    const name = nodes[0]?.name.value as string
    if (name === '__typename') return { kind: 'typename', key, value: type.name }
    const { view } = this.#input
    const table = view.tables.get(name)
    const here = `${key}`
    if (table) {
      const rows = this.#rows(table, this.arguments(type, nodes), here)
      return { kind: 'list', key, rows, fields: this.selected(table, type, nodes) }
    }
    const one = name.endsWith('_by_pk') && view.tables.get(name.slice(0, -'_by_pk'.length))
    if (one) {
      const args = this.#openArguments(type, nodes)
      const of = one.table.primaryKey.map(
        (column): Predicate => ({
          kind: 'compare',
          column,
          type: one.table.columns.get(column)?.type ?? 'uuid',
          list: false,
          operator: '_eq',
          operand: { kind: 'value', value: args[column] },
        }),
      )
      const rows = { ...everyRow(one), where: { kind: 'and' as const, of } }
      return { kind: 'one', key, rows, fields: this.selected(one, type, nodes) }
    }
    const streamed = name.endsWith('_stream') && view.tables.get(name.slice(0, -'_stream'.length))
    if (streamed) return this.#stream(streamed, type, key, nodes)
    const many = name.endsWith('_aggregate') && view.tables.get(name.slice(0, -'_aggregate'.length))
    if (many) {
      const rows = this.#rows(many, this.arguments(type, nodes), here, anyLimit)
      return { kind: 'aggregate', key, rows, parts: this.#aggregateParts(many, type, nodes) }
    }
    return null
  }

  #stream(from: VisibleTable, type: GraphQLObjectType, key: string, nodes: readonly FieldNode[]): Root {
    const { batch_size, cursor, where } = this.arguments(type, nodes)
    const batchSize = batch_size as number
    if (batchSize < 1 || batchSize > from.limit) refuse(`${key}.batch_size`, `must be between 1 and ${from.limit}`)
    const entries = listOf<Record<string, unknown> | null>(cursor).filter((entry) => entry !== null)
    const [entry] = entries
    if (!entry || entries.length > 1) return refuse(`${key}.cursor`, 'must have exactly one entry')
    const columns = Object.entries((entry.initial_value ?? {}) as Record<string, unknown>)
    const [first] = columns
    if (!first || columns.length > 1) return refuse(`${key}.cursor.initial_value`, 'must name exactly one column')
    const ascending = entry.ordering !== 'DESC'
    // An id or a time taken for a position would be a stream that stays silent for ever.
    if (first[0] === 'position' && ascending && !positionForm.test(String(first[1] ?? ''))) {
      refuse(
        `${key}.cursor.initial_value.position`,
        'must be the "position" of a row that you were given, or "" to begin at the start',
      )
    }
    return {
      kind: 'stream',
      key,
      rows: this.#rows(from, { where }, key),
      fields: this.selected(from, type, nodes),
      cursor: { column: first[0], from: first[1] ?? null, ascending },
      batchSize,
    }
  }

  /** Values that a predicate compares with may still be open; the text of the statement depends on all others. */
  #openArguments(type: GraphQLObjectType, nodes: readonly FieldNode[]): Record<string, unknown> {
    const node = nodes[0] as FieldNode
    const field = type.getFields()[node.name.value]
    return field ? getArgumentValues(field, node, this.#input.variables) : {}
  }

  arguments(type: GraphQLObjectType, nodes: readonly FieldNode[]): Record<string, unknown> {
    const node = nodes[0] as FieldNode
    const values = this.#openArguments(type, nodes)
    for (const [name, value] of Object.entries(values)) if (name !== 'where') requireValue(value)
    if (!('order_by' in values)) return values
    const written = node.arguments?.find((argument) => argument.name.value === 'order_by')?.value
    return { ...values, order_by: inWrittenOrder(values.order_by, this.#written(written)) }
  }

  /** A literal as it stands in the document, or a variable as it was sent; undefined when only its coerced value is known. */
  #written(node: ValueNode | undefined): unknown {
    switch (node?.kind) {
      case 'Variable': {
        const name = node.name.value
        const sent = this.#input.sentVariables?.[name]
        const definition = this.#input.operation.variableDefinitions?.find((one) => one.variable.name.value === name)
        return sent === undefined ? this.#written(definition?.defaultValue) : sent
      }
      case 'ListValue':
        return node.values.map((value) => this.#written(value))
      case 'ObjectValue':
        return Object.fromEntries(node.fields.map((field) => [field.name.value, this.#written(field.value)]))
      default:
        return undefined
    }
  }

  #childType(type: GraphQLObjectType, nodes: readonly FieldNode[]): GraphQLObjectType {
    const field = type.getFields()[nodes[0]?.name.value as string]
    return getNamedType(field?.type) as GraphQLObjectType
  }

  children(type: GraphQLObjectType, nodes: readonly FieldNode[]): [GraphQLObjectType, Fields] {
    const child = this.#childType(type, nodes)
    return [
      child,
      this.fields(
        child,
        nodes.map((node) => node.selectionSet),
      ),
    ]
  }

  /** The fields below `parentNodes`, which return rows of `visible`. */
  selected(visible: VisibleTable, parent: GraphQLObjectType, parentNodes: readonly FieldNode[]): Selected[] {
    const [type, fields] = this.children(parent, parentNodes)
    return [...fields].map(([key, nodes]) => this.#field(visible, type, key, nodes))
  }

  #field(visible: VisibleTable, type: GraphQLObjectType, key: string, nodes: readonly FieldNode[]): Selected {
    const name = nodes[0]?.name.value as string
    if (name === '__typename') return { kind: 'typename', key, value: type.name }
    const column = visible.columns.get(name)
    if (column) {
      const { path } = column.type === 'jsonb' ? this.arguments(type, nodes) : {}
      return {
        kind: 'column',
        key,
        column: name,
        path: typeof path === 'string' ? parseJsonPath(path, `${key}.path`) : null,
      }
    }
    const aggregated = visible.relations.get(name) ? undefined : name.slice(0, -'_aggregate'.length)
    const relation = visible.relations.get(aggregated ?? name)
    const other = relation && this.#input.view.tables.get(relation.table)
    if (!relation || !other) throw new Error(`${visible.table.name}.${name} is not a field`)
    const most = aggregated === undefined ? other.limit : anyLimit
    const rows = relation.list ? this.#rows(other, this.arguments(type, nodes), key, most) : everyRow(other)
    if (aggregated !== undefined) {
      return { kind: 'aggregate', key, relation, rows, parts: this.#aggregateParts(other, type, nodes) }
    }
    return { kind: 'related', key, relation, rows, fields: this.selected(other, type, nodes) }
  }

  #aggregateParts(
    visible: VisibleTable,
    parent: GraphQLObjectType,
    parentNodes: readonly FieldNode[],
  ): AggregatePart[] {
    const [type, fields] = this.children(parent, parentNodes)
    return [...fields].map(([key, nodes]): AggregatePart => {
      const name = nodes[0]?.name.value
      if (name === '__typename') return { kind: 'typename', key, value: type.name }
      if (name === 'nodes') return { kind: 'nodes', key, fields: this.selected(visible, type, nodes) }
      return { kind: 'aggregate', key, functions: this.#aggregateFunctions(type, nodes) }
    })
  }

  #aggregateFunctions(parent: GraphQLObjectType, parentNodes: readonly FieldNode[]): AggregateFunction[] {
    const [type, fields] = this.children(parent, parentNodes)
    return [...fields].map(([key, nodes]): AggregateFunction => {
      const operation = nodes[0]?.name.value as string
      if (operation === '__typename') return { kind: 'typename', key, value: type.name }
      if (operation === 'count') {
        const { columns, distinct } = this.arguments(type, nodes)
        return { kind: 'count', key, columns: listOf<string>(columns), distinct: distinct === true }
      }
      const [child, columns] = this.children(type, nodes)
      return {
        kind: 'columns',
        key,
        operation,
        columns: [...columns].map(([columnKey, columnNodes]) => {
          const column = columnNodes[0]?.name.value as string
          return column === '__typename' ? { key: columnKey, typename: child.name } : { key: columnKey, column }
        }),
      }
    })
  }

  #rows(from: VisibleTable, args: Readonly<Record<string, unknown>>, path: string, most = from.limit): Rows {
    const where = args.where
    return {
      from,
      where:
        where === undefined || where === null
          ? always
          : parsePredicate(where, this.#input.view.shape(from.table.name), { path: `${path}.where` }),
      ...this.#sorted(from, args, path),
      limit: limitOf(args.limit, most, `${path}.limit`),
      offset: notNegative(args.offset, `${path}.offset`) ?? 0,
    }
  }

  #sorted(
    from: VisibleTable,
    args: Readonly<Record<string, unknown>>,
    path: string,
  ): Pick<Rows, 'orderBy' | 'distinctOn'> {
    const orderBy = listOf<Record<string, unknown>>(args.order_by).flatMap((entry) =>
      this.#orderings(entry, from, [], `${path}.order_by`),
    )
    const distinctOn = [...new Set(listOf<string>(args.distinct_on))]
    for (const [argument, list] of [
      ['order_by', orderBy],
      ['distinct_on', distinctOn],
    ] as const) {
      if (list.length > sortLimit) {
        refuse(`${path}.${argument}`, `names ${list.length} columns; at most ${sortLimit} are allowed`)
      }
    }
    // As Hasura has it: otherwise rows would come back in another order than was asked for.
    const leading = orderBy.slice(0, distinctOn.length)
    const agree = leading.every((one) => one.through.length === 0 && distinctOn.includes(one.column))
    if (orderBy.length > 0 && (!agree || new Set(leading.map((one) => one.column)).size < distinctOn.length)) {
      refuse(`${path}.distinct_on`, 'must name the first columns of order_by, in any order')
    }
    return { orderBy, distinctOn }
  }

  #orderings(
    entry: Record<string, unknown>,
    from: VisibleTable,
    through: Ordering['through'],
    path: string,
  ): Ordering[] {
    return Object.entries(entry).flatMap(([key, value]): Ordering[] => {
      if (value === null || value === undefined) return []
      const here = `${path}.${key}`
      if (from.columns.has(key)) return [{ through, column: key, direction: String(value) }]
      if (through.length >= 4) refuse(here, 'follows more than 4 relationships; order by a nearer column')
      const aggregated = from.relations.get(key) ? undefined : key.slice(0, -'_aggregate'.length)
      const relation = from.relations.get(aggregated ?? key)
      const to = relation && this.#input.view.tables.get(relation.table)
      if (!relation || !to) throw new Error(`${from.table.name}.${key} cannot be ordered by`)
      const beyond = [...through, { relation, to }]
      const inner = value as Record<string, unknown>
      return aggregated === undefined ? this.#orderings(inner, to, beyond, here) : aggregateOrderings(inner, beyond)
    })
  }
}

/** `count: asc`, or `max: { column: asc }`. */
function aggregateOrderings(entry: Record<string, unknown>, through: Ordering['through']): Ordering[] {
  return Object.entries(entry).flatMap(([aggregate, value]): Ordering[] => {
    if (value === null || value === undefined) return []
    if (aggregate === 'count') return [{ through, column: '', direction: String(value), aggregate }]
    return Object.entries(value as object)
      .filter(([, direction]) => direction !== null && direction !== undefined)
      .map(([column, direction]) => ({ through, column, direction: String(direction), aggregate }))
  })
}

/** An aggregate may count any number of rows; only the list of its nodes is cut. */
const anyLimit = 2_147_483_647

/** Columns that one list may be ordered by or made distinct on. */
const sortLimit = 10

/** A position (transaction and sequence), a horizon (transaction alone), or nothing: the start. */
const positionForm = /^([0-9a-f]{16}|[0-9a-f]{32})?$/

function refuse(path: string, problem: string): never {
  throw new SluiceError('VALIDATION_FAILED', `${path} ${problem}.`, { path })
}

/**
 * A value with the keys of its objects as the client wrote them. Coercion puts
 * them in the schema's order, but `order_by: { a: asc, b: asc }` sorts by a first.
 */
function inWrittenOrder(coerced: unknown, written: unknown): unknown {
  if (Array.isArray(coerced)) {
    return coerced.map((item, index) => inWrittenOrder(item, Array.isArray(written) ? written[index] : written))
  }
  if (typeof coerced !== 'object' || coerced === null || typeof written !== 'object' || written === null) return coerced
  const keys = Object.keys(written).filter((key) => key in coerced)
  const values = coerced as Record<string, unknown>
  return Object.fromEntries(keys.map((key) => [key, inWrittenOrder(values[key], (written as typeof values)[key])]))
}

function everyRow(from: VisibleTable): Rows {
  return { from, where: always, orderBy: [], distinctOn: [], limit: 1, offset: 0 }
}

function listOf<T>(value: unknown): T[] {
  if (value === null || value === undefined) return []
  return Array.isArray(value) ? value : [value as T]
}

function limitOf(value: unknown, most: number, path: string): number | null {
  const limit = notNegative(value, path)
  if (limit !== null && limit > most)
    refuse(path, `is ${limit}; at most ${most} are allowed. Ask in pages, with offset`)
  return limit
}

function notNegative(value: unknown, path: string): number | null {
  if (value === null || value === undefined) return null
  const number = value as number
  if (number < 0) refuse(path, 'must not be negative')
  return number
}
