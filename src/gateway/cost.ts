/**
 * What an operation may cost at most, known before it runs. The rule: a field
 * costs 1, and everything inside a list costs once for each row that is asked
 * for. That is `limit` (or `batch_size`), or `rowsWithoutLimit` where there is none.
 *
 * `{ sessions(limit: 10) { id flow { slug } } }` costs 1 + 10 * (1 + 1 + 1) = 31.
 *
 * @skip and @include are not looked at, and a fragment counts wherever it is spread.
 */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isListType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql'

/** A guess at the length of a list that sets no limit; most lists of one parent are far shorter. */
export const rowsWithoutLimit = 20

type Variables = Readonly<Record<string, unknown>>

/** The cost of one operation as a function of its variables. */
export type Cost = (variables: Variables) => number

/** Reads a valid document once; what it returns is called at every request. */
export function costOf(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): Cost {
  const fragments = new Map(
    document.definitions
      .filter((one): one is FragmentDefinitionNode => one.kind === Kind.FRAGMENT_DEFINITION)
      .map((one) => [one.name.value, one]),
  )
  const known = new Map<string, Cost>()

  /** @param listed the rows of an aggregate, which are those of the `nodes` in it. */
  const ofSet = (set: SelectionSetNode, typeName: string, listed?: Rows): Cost => {
    let fixed = 0
    const varying: Cost[] = []
    const add = (cost: Cost) => {
      if (isFixed(cost)) fixed += cost({})
      else varying.push(cost)
    }
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) add(ofField(selection, typeName, listed))
      else if (selection.kind === Kind.INLINE_FRAGMENT) {
        add(ofSet(selection.selectionSet, selection.typeCondition?.name.value ?? typeName, listed))
      } else add(ofFragment(selection.name.value))
    }
    if (varying.length === 0) return fixedCost(fixed)
    return (variables) => varying.reduce((sum, cost) => sum + cost(variables), fixed)
  }

  const ofFragment = (name: string): Cost => {
    let cost = known.get(name)
    if (!cost) {
      const fragment = fragments.get(name)
      cost = fragment ? ofSet(fragment.selectionSet, fragment.typeCondition.name.value) : fixedCost(0)
      known.set(name, cost)
    }
    return cost
  }

  const ofField = (node: FieldNode, typeName: string, listed?: Rows): Cost => {
    const parent = schema.getType(typeName)
    const field = isObjectType(parent) ? parent.getFields()[node.name.value] : undefined
    // Introspection has caps of its own.
    if (!field || !node.selectionSet) return fixedCost(1)
    const asked = rowsAsked(node)
    const many = isListType(getNullableType(field.type))
    const inside = ofSet(node.selectionSet, getNamedType(field.type).name, many ? undefined : asked)
    const rows = many ? (asked ?? listed ?? rowsWithoutLimit) : 1
    if (isFixed(inside) && typeof rows === 'number') return fixedCost(1 + rows * inside({}))
    return (variables) => 1 + (typeof rows === 'number' ? rows : rows(variables)) * inside(variables)
  }

  const root = { query: schema.getQueryType(), mutation: schema.getMutationType() }
  const rootType = operation.operation === 'subscription' ? schema.getSubscriptionType() : root[operation.operation]
  return ofSet(operation.selectionSet, rootType?.name ?? '')
}

const fixedCosts = new WeakSet<Cost>()
const isFixed = (cost: Cost) => fixedCosts.has(cost)

function fixedCost(value: number): Cost {
  const cost = () => value
  fixedCosts.add(cost)
  return cost
}

type Rows = number | Cost

/** The rows that a field's arguments ask for, if they say. */
function rowsAsked(node: FieldNode): Rows | undefined {
  const limit = argument(node, 'limit') ?? argument(node, 'batch_size')
  if (limit?.kind === Kind.INT) return rows(Number(limit.value))
  if (limit?.kind !== Kind.VARIABLE) return undefined
  const name = limit.name.value
  return (variables) => rows(variables[name])
}

function rows(limit: unknown): number {
  return typeof limit === 'number' ? Math.max(limit, 1) : rowsWithoutLimit
}

function argument(node: FieldNode, name: string): ValueNode | undefined {
  return node.arguments?.find((one) => one.name.value === name)?.value
}
