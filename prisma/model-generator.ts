/**
 * A Prisma generator that writes the facts the `tables/` engine needs (tables,
 * columns, their Postgres types, relations, keys) as one TypeScript constant,
 * so that they come from `schema.prisma` and nowhere else.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type DMMF, default as helper } from '@prisma/generator-helper'

helper.generatorHandler({
  onManifest: () => ({ prettyName: 'Sluice model', defaultOutput: 'model.ts' }),
  onGenerate: async ({ dmmf, generator }) => {
    const output = generator.output?.value
    if (!output) throw new Error('The generator "model" needs an output file.')
    mkdirSync(dirname(output), { recursive: true })
    writeFileSync(output, render(dmmf.datamodel))
  },
})

function render({ models, enums }: DMMF.Datamodel): string {
  const tableOf = new Map(models.map((model) => [model.name, model.dbName ?? model.name]))
  const enumOf = new Map(enums.map((one) => [one.name, one.dbName ?? one.name]))
  const tables = Object.fromEntries(
    models.map((model) => [tableOf.get(model.name), tableFacts(model, tableOf, enumOf)]),
  )
  const enumValues = Object.fromEntries(
    enums.map((one) => [enumOf.get(one.name), one.values.map((value) => value.dbName ?? value.name)]),
  )
  return [
    '// Written by prisma/model-generator.ts from prisma/schema.prisma. Do not edit.',
    `export const tables = ${JSON.stringify(tables, null, 2)} as const`,
    `export const enums = ${JSON.stringify(enumValues, null, 2)} as const`,
    '',
  ].join('\n')
}

function tableFacts(model: DMMF.Model, tableOf: Map<string, string>, enumOf: Map<string, string>) {
  const columns: Record<string, unknown> = {}
  const relations: Record<string, unknown> = {}
  for (const field of model.fields) {
    if (field.kind === 'object') {
      relations[field.name] = {
        name: field.relationName,
        table: tableOf.get(field.type),
        list: field.isList,
        from: field.relationFromFields ?? [],
        to: field.relationToFields ?? [],
      }
      continue
    }
    columns[field.name] = {
      type: field.kind === 'enum' ? enumOf.get(field.type) : postgresType(field),
      enum: field.kind === 'enum',
      list: field.isList,
      required: field.isRequired,
      hasDefault: field.hasDefaultValue || field.isUpdatedAt === true,
      ...(field.documentation ? { description: field.documentation } : {}),
    }
  }
  const id = model.fields.filter((field) => field.isId).map((field) => field.name)
  return {
    ...(model.documentation ? { description: model.documentation } : {}),
    columns,
    relations,
    primaryKey: model.primaryKey ? [...model.primaryKey.fields] : id,
    uniques: [
      ...model.uniqueFields.map((fields) => [...fields]),
      ...model.fields.filter((field) => field.isUnique).map((field) => [field.name]),
    ],
  }
}

const scalarTypes: Record<string, string> = {
  String: 'text',
  Boolean: 'bool',
  Int: 'int4',
  BigInt: 'int8',
  Float: 'float8',
  Decimal: 'numeric',
  DateTime: 'timestamptz',
  Json: 'jsonb',
  Bytes: 'bytea',
}

function postgresType(field: DMMF.Field): string {
  if (field.nativeType?.[0] === 'Uuid') return 'uuid'
  const type = scalarTypes[field.type]
  if (!type) throw new Error(`No Postgres type is known for the Prisma type ${field.type} of ${field.name}.`)
  return type
}
