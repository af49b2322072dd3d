/**
 * One audit entry for every action, on every transport: which, by whom, with which ids, and how it ended. It is made
 * where the schema is built, so that an action cannot be added without it.
 *
 * Of the arguments only values of the type `uuid` are kept, by their names; so no secret and no data gets in.
 */
import {
  type GraphQLFieldResolver,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isInputObjectType,
  isListType,
} from 'graphql'
import type { Audit, AuditEntry, AuditOutcome } from '../access/audit.ts'
import { type AuditNote, takeAuditNote } from '../access/audit-notes.ts'
import { clientError } from '../database/client-errors.ts'
import { SluiceError } from '../errors.ts'
import { mutationFields } from '../tables/mutation-fields.ts'
import type { RequestContext } from '../tables/request-context.ts'
import type { RoleView } from '../tables/role-view.ts'

/** Changes the resolvers of `schema`: mutations of tables have their own entries, in their transactions. */
export function auditActions(schema: GraphQLSchema, view: RoleView, audit: Audit): GraphQLSchema {
  const tables = mutationFields(view)
  for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) {
    const { resolve } = field
    if (tables.has(field.name) || !resolve) continue
    field.resolve = audited(field.name, resolve, audit, (args) => namedIds(args, field.args))
  }
  return schema
}

type Resolve = GraphQLFieldResolver<unknown, RequestContext, Record<string, unknown>>

function audited(
  operation: string,
  resolve: Resolve,
  audit: Audit,
  idsOf: (args: Record<string, unknown>) => NamedIds,
): Resolve {
  return async (source, args, context, info) => {
    try {
      const result = await resolve(source, args, context, info)
      const note = takeAuditNote(context)
      if (!note.recorded)
        await audit.record(entryOf(operation, 'granted', context, note, withResult(operation, idsOf(args), result)))
      return result
    } catch (error) {
      const { code, outcome } = failureOf(error)
      audit.refused(entryOf(operation, outcome, context, takeAuditNote(context), idsOf(args), code))
      throw error
    }
  }
}

function entryOf(
  operation: string,
  outcome: AuditOutcome,
  { principal, requestId, address }: RequestContext,
  { detail, ids: more, session_ids = [], recorded: _, ...note }: AuditNote,
  { ids, sessions }: NamedIds,
  code?: string,
): AuditEntry {
  return {
    ...(note.actor ? {} : { principal }),
    operation,
    outcome,
    address,
    request_id: requestId,
    ...note,
    ids: { ...ids, ...more },
    session_ids: [...new Set([...sessions, ...session_ids])],
    ...(code || detail ? { detail: { ...(code ? { code } : {}), ...detail } } : {}),
  }
}

const refusals = new Set(['UNAUTHENTICATED', 'FORBIDDEN', 'BLOCKED', 'RATE_LIMITED'])

/** Whether somebody was refused, or something did not work. */
export function failureOf(error: unknown): { readonly code: string; readonly outcome: AuditOutcome } {
  const known = error instanceof SluiceError ? error : clientError(error)
  const code = known?.code ?? 'INTERNAL'
  return { code, outcome: refusals.has(code) ? 'refused' : 'failed' }
}

interface NamedIds {
  readonly ids: Readonly<Record<string, string>>
  readonly sessions: readonly string[]
}

interface Typed {
  readonly name: string
  readonly type: GraphQLInputType
}

/** Ids of one list that are kept. */
const mostOfOneList = 20

/** Arguments of the type `uuid`, however deep; those named `session_id` or `session_ids` apart. */
function namedIds(args: Readonly<Record<string, unknown>>, types: readonly Typed[]): NamedIds {
  const ids: Record<string, string> = {}
  const sessions: string[] = []
  const walk = (value: unknown, type: GraphQLInputType, name: string): void => {
    if (value === null || value === undefined) return
    const nullable = getNullableType(type)
    if (isListType(nullable)) {
      if (!Array.isArray(value)) return
      for (const [index, item] of value.slice(0, mostOfOneList).entries()) {
        walk(item, nullable.ofType as GraphQLInputType, value.length === 1 ? name : `${name}.${index}`)
      }
      return
    }
    const named = getNamedType(nullable)
    if (isInputObjectType(named)) {
      for (const field of Object.values(named.getFields())) {
        walk((value as Record<string, unknown>)[field.name], field.type, `${name}.${field.name}`)
      }
    } else if (named.name === 'uuid') {
      if (/(^|\.)session_ids?(\.\d+)?$/.test(name)) sessions.push(String(value))
      else ids[name] = String(value)
    }
  }
  for (const { name, type } of types) walk(args[name], type, name)
  return { ids, sessions }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Actions whose result is a session. */
const aboutSessions = new Set(['submit_session', 'submit_test_session', 'revise_session'])

/** What was made has an id only now. */
function withResult(operation: string, { ids, sessions }: NamedIds, result: unknown): NamedIds {
  const made = (result ?? {}) as { readonly id?: unknown; readonly session_id?: unknown }
  const id = typeof made.id === 'string' && uuid.test(made.id) ? made.id : undefined
  const session = typeof made.session_id === 'string' && uuid.test(made.session_id) ? [made.session_id] : []
  if (id && aboutSessions.has(operation)) return { ids: {}, sessions: [...sessions, ...session, id] }
  return { ids: id ? { ...ids, id } : ids, sessions: [...sessions, ...session] }
}
