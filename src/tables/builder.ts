/** The Pothos schema builder that tables and actions add their types to; one per role. */
import SchemaBuilder from '@pothos/core'
import { GraphQLError, type ValueNode, valueFromASTUntyped } from 'graphql'
import type { RequestContext } from './request-context.ts'
import { scalarDefinitions } from './scalars.ts'

interface BuilderTypes {
  Context: RequestContext
  Scalars: {
    uuid: { Input: string; Output: string }
    timestamptz: { Input: string; Output: string }
    jsonb: { Input: unknown; Output: unknown }
    bigint: { Input: number | string; Output: number | string }
    float8: { Input: number; Output: number }
    numeric: { Input: number | string; Output: number | string }
  }
}

export type Builder = PothosSchemaTypes.SchemaBuilder<PothosSchemaTypes.ExtendDefaultTypes<BuilderTypes>>

export function createBuilder(): Builder {
  const builder = new SchemaBuilder<BuilderTypes>({})
  for (const { name, description, parse } of scalarDefinitions) {
    builder.scalarType(name as 'jsonb', {
      description,
      serialize: (value) => value,
      parseValue: parse,
      parseLiteral: (node: ValueNode, variables) => parse(literalValue(name, node, variables)),
    })
  }
  return builder
}

function literalValue(scalar: string, node: ValueNode, variables: Parameters<typeof valueFromASTUntyped>[1]): unknown {
  // Digits that a double cannot hold stay text, which bigint and numeric read; in JSON text would be another value.
  if (scalar !== 'jsonb' && (node.kind === 'IntValue' || node.kind === 'FloatValue')) {
    if (String(Number(node.value)) !== node.value) return node.value
  }
  const value = valueFromASTUntyped(node, variables)
  if (value === undefined) throw new GraphQLError('A variable in this value is not set.')
  return value
}
