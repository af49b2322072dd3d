/**
 * Sessions that were asked for by id and not given. Whether there is no such session or it is not theirs looks the
 * same to the caller, and is the same entry: somebody who tries ids leaves a trace.
 */
import { type DocumentNode, type FieldNode, Kind, type OperationDefinitionNode, type SelectionSetNode } from 'graphql'
import type { Audit } from '../access/audit.ts'
import type { Caller } from './engine.ts'
import type { PreparedOperation } from './operation.ts'

interface Asked {
  readonly key: string
  readonly node: FieldNode
}

/** Found once for each document that is kept. */
const known = new WeakMap<OperationDefinitionNode, readonly Asked[]>()

/** Root fields that ask for one session by its id; most operations have none. */
export function sessionsAsked({ operation, document }: PreparedOperation): readonly Asked[] {
  let asked = known.get(operation)
  if (!asked) {
    asked = operation.operation === 'query' ? rootFields(operation.selectionSet, document) : []
    known.set(operation, asked)
  }
  return asked
}

/** @param text the JSON text of `data` */
export function auditAbsent(
  audit: Audit,
  asked: readonly Asked[],
  text: string,
  { variables }: PreparedOperation,
  { principal, requestId, address }: Caller,
): void {
  // Postgres writes `"key" : null` so in what it builds. Only then is it worth reading.
  if (!asked.some(({ key }) => text.includes(`${JSON.stringify(key)} : null`))) return
  const data = JSON.parse(text) as Readonly<Record<string, unknown>>
  const ids = asked.filter(({ key }) => data[key] === null).flatMap(({ node }) => idOf(node, variables) ?? [])
  if (ids.length === 0) return
  audit.refused({
    principal,
    operation: 'query',
    outcome: 'refused',
    // The caller's own: whose session it is, if it is one, is nobody's business here.
    team_id: principal.teamId,
    session_ids: [...new Set(ids)],
    address,
    request_id: requestId,
    detail: { code: 'NOT_FOUND', reason: 'not granted, or no such session' },
  })
}

function rootFields(set: SelectionSetNode, document: DocumentNode): Asked[] {
  return set.selections.flatMap((selection) => {
    if (selection.kind === Kind.INLINE_FRAGMENT) return rootFields(selection.selectionSet, document)
    if (selection.kind === Kind.FRAGMENT_SPREAD) {
      const named = document.definitions.find(
        (one) => one.kind === Kind.FRAGMENT_DEFINITION && one.name.value === selection.name.value,
      )
      return named?.kind === Kind.FRAGMENT_DEFINITION ? rootFields(named.selectionSet, document) : []
    }
    if (selection.name.value !== 'sessions_by_pk') return []
    return [{ key: selection.alias?.value ?? selection.name.value, node: selection }]
  })
}

function idOf(node: FieldNode, variables: PreparedOperation['variables']): string | undefined {
  const value = node.arguments?.find(({ name }) => name.value === 'id')?.value
  if (value?.kind === Kind.STRING) return value.value
  return value?.kind === Kind.VARIABLE ? String(variables[value.name.value]) : undefined
}
