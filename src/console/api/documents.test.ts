/** Whether the console asks only for what the API has, and viewers only for what viewers may see. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { buildSchema, type DocumentNode, type GraphQLSchema, Kind, parse, print, validate } from 'graphql'
import { expect, it } from 'vitest'
import { requestReset } from '../pages/forgot-password/queries.ts'
import { allDocuments } from './gql.ts'
import { personDocuments } from './person.ts'
import { signInDocuments } from './sign-in.ts'

const repository = path.join(import.meta.dirname, '../../..')
const schemaIn = (file: string) => buildSchema(readFileSync(path.join(repository, file), 'utf8'))
const admin = schemaIn('schema.graphql')
const editor = schemaIn('test/schema-snapshots/editor.graphql')
const viewer = schemaIn('test/schema-snapshots/viewer.graphql')
const anonymous = schemaIn('test/schema-snapshots/anonymous.graphql')

// Every page's documents, also of those that this test has never heard of.
const modules = import.meta.glob('../{app,kit,pages}/**/queries.ts', { eager: true })

const documents = allDocuments.map((document) => parse(print(document as DocumentNode)))

it('finds the documents of every page', () => {
  expect(Object.keys(modules).length).toBeGreaterThan(3)
  expect(documents.length).toBeGreaterThan(10)
})

it.each(documents.map((document) => [nameOf(document), document] as const))(
  '%s is what the API has',
  (name, document) => {
    for (const schema of schemasFor(name, document)) expect(problems(schema, document)).toEqual([])
  },
)

it.each([...signInDocuments, requestReset].map((text) => [nameOf(parse(text)), parse(text)] as const))(
  '%s is what the API has for who signs in',
  (name, document) => {
    const needsToken = /^(SignOut|ChangePassword)/.test(name)
    expect(problems(needsToken ? viewer : anonymous, document)).toEqual([])
  },
)

it.each(personDocuments.map((text) => [nameOf(parse(text)), parse(text)] as const))(
  '%s is what people may ask',
  (_, document) => {
    expect(problems(viewer, document)).toEqual([])
  },
)

it('names of operations are their own, so that logs and the network panel tell them apart', () => {
  const names = documents.map(nameOf)
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
})

/** By the end of its name: `…ForAdmins`, `…ForEditors`; else viewers read and editors act. */
function schemasFor(name: string, document: DocumentNode): readonly GraphQLSchema[] {
  if (name.endsWith('ForAdmins')) return [admin]
  const acts = operationOf(document)?.operation === 'mutation'
  if (name.endsWith('ForEditors') || (acts && !name.endsWith('ForViewers'))) return [admin, editor]
  return [admin, editor, viewer]
}

function problems(schema: GraphQLSchema, document: DocumentNode): string[] {
  return validate(schema, document).map(({ message }) => message)
}

function nameOf(document: DocumentNode): string {
  return operationOf(document)?.name?.value ?? 'an operation without a name'
}

function operationOf(document: DocumentNode) {
  return document.definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION)
}
