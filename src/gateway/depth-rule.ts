/** A validation rule that caps how deep selections nest, how many root fields an operation has, and how many in all. */
import {
  type ASTVisitor,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql'

export interface SelectionLimits {
  readonly depth: number
  readonly rootFields: number
  /** Fields in all, those of a fragment counted wherever it is spread. */
  readonly fields: number
  /** Aliases in introspection: each asks for a whole part of the schema once more. */
  readonly introspectionAliases: number
}

export function depthRule({ depth, rootFields, fields, introspectionAliases }: SelectionLimits) {
  return (context: ValidationContext): ASTVisitor => ({
    OperationDefinition(operation) {
      const measured = measure(operation.selectionSet, context, new Map(), new Set())
      // Introspection is deep by nature; graphql-js has a rule of its own against lists within lists of it.
      if (measured.depth > depth && !measured.introspection) {
        context.reportError(
          new GraphQLError(
            `The operation nests ${measured.depth} levels deep; at most ${depth} are allowed. Ask in several operations.`,
            {
              nodes: [operation],
              extensions: { code: 'LIMIT_DEPTH' },
            },
          ),
        )
      }
      if (measured.roots > rootFields) {
        context.reportError(
          new GraphQLError(
            `The operation has ${measured.roots} root fields; at most ${rootFields} are allowed. Ask in several operations.`,
            {
              nodes: [operation],
              extensions: { code: 'LIMIT_ROOT_FIELDS' },
            },
          ),
        )
      }
      if (measured.fields > fields) {
        context.reportError(
          new GraphQLError(
            `The operation selects ${measured.fields} fields, with its fragments spread; at most ${fields} are allowed. Ask in several operations.`,
            {
              nodes: [operation],
              extensions: { code: 'LIMIT_FIELDS' },
            },
          ),
        )
      }
      if (measured.introspectionAliases > introspectionAliases) {
        context.reportError(
          new GraphQLError(
            `The operation has ${measured.introspectionAliases} aliases in its introspection; at most ${introspectionAliases} are allowed.`,
            {
              nodes: [operation],
              extensions: { code: 'LIMIT_FIELDS' },
            },
          ),
        )
      }
    },
  })
}

interface Measured {
  readonly depth: number
  readonly roots: number
  readonly fields: number
  /** Every root field is `__schema`, `__type` or `__typename`. */
  readonly introspection: boolean
  readonly aliases: number
  readonly introspectionAliases: number
}

function measure(
  set: SelectionSetNode,
  context: ValidationContext,
  known: Map<string, Measured>,
  open: Set<string>,
): Measured {
  let depth = 0
  let roots = 0
  let fields = 0
  let introspection = true
  let aliases = 0
  let introspectionAliases = 0
  for (const selection of set.selections) {
    if (selection.kind === Kind.FIELD) {
      const below = selection.selectionSet ? measure(selection.selectionSet, context, known, open) : nothing
      const alias = selection.alias ? 1 : 0
      roots += 1
      if (!selection.name.value.startsWith('__')) introspection = false
      depth = Math.max(depth, 1 + below.depth)
      fields += 1 + below.fields
      aliases += alias + below.aliases
      introspectionAliases += introspects(selection) ? alias + below.aliases : below.introspectionAliases
      continue
    }
    const inner =
      selection.kind === Kind.INLINE_FRAGMENT
        ? measure(selection.selectionSet, context, known, open)
        : measureFragment(context.getFragment(selection.name.value), context, known, open)
    depth = Math.max(depth, inner.depth)
    roots += inner.roots
    fields += inner.fields
    introspection &&= inner.introspection
    aliases += inner.aliases
    introspectionAliases += inner.introspectionAliases
  }
  return { depth, roots, fields, introspection, aliases, introspectionAliases }
}

/** Whether a field asks for the schema itself. */
export function introspects(field: FieldNode): boolean {
  return field.name.value === '__schema' || field.name.value === '__type'
}

const nothing: Measured = {
  depth: 0,
  roots: 0,
  fields: 0,
  introspection: true,
  aliases: 0,
  introspectionAliases: 0,
}

/** Each fragment once; one that contains itself is reported by another rule. */
function measureFragment(
  fragment: FragmentDefinitionNode | null | undefined,
  context: ValidationContext,
  known: Map<string, Measured>,
  open: Set<string>,
): Measured {
  const name = fragment?.name.value ?? ''
  if (!fragment || open.has(name)) return nothing
  const measured = known.get(name)
  if (measured) return measured
  open.add(name)
  const result = measure(fragment.selectionSet, context, known, open)
  open.delete(name)
  known.set(name, result)
  return result
}
