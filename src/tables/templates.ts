/**
 * Compiled reads, kept by operation. The first time an operation comes it is
 * planned with slots in place of its variables. Where the statement's text
 * depends on one (a whole `where`, a limit, `@include`), that variable's value
 * becomes part of the key, and so do which variables are null.
 */
import type { OperationDefinitionNode } from 'graphql'
import { everyTeam } from '../access/every-team.ts'
import type { Principal, SessionVariables } from '../access/principal.ts'
import { type PlanInput, planOperation } from './plan.ts'
import { type SelectContext, type Statement, selectStatement } from './select.ts'
import { filled, NeedsValue, Slot } from './slots.ts'

export interface Templates {
  /** The statement for all root fields of a query, or null when not all of them are tables. */
  statement(input: PlanInput, context: SelectContext): Statement | null
}

interface Family {
  /** Variables whose value the text depends on. */
  readonly fixed: Set<string>
  readonly statements: Map<string, Statement | null>
}

/** Statements of one operation; more mean that its text depends on values that hardly repeat. */
const mostPerOperation = 50

export function createTemplates(): Templates {
  const families = new WeakMap<OperationDefinitionNode, Family>()
  return {
    statement(input, context) {
      let family = families.get(input.operation)
      if (!family) {
        family = { fixed: new Set(), statements: new Map() }
        families.set(input.operation, family)
      }
      const template = templateOf(family, input, context)
      if (!template) return null
      const { principal, request } = context
      return { ...template, values: filled(template.values, { variables: input.variables, principal, request }) }
    },
  }
}

function templateOf(family: Family, input: PlanInput, context: SelectContext): Statement | null {
  for (;;) {
    const key = keyOf(family, input, context)
    const known = family.statements.get(key)
    if (known !== undefined) return known
    try {
      const roots = planOperation({ ...input, variables: slotsFor(input.variables, family.fixed) })
      const statement = roots && selectStatement(roots, contextWithSlots(context))
      if (family.statements.size >= mostPerOperation) family.statements.clear()
      family.statements.set(key, statement)
      return statement
    } catch (error) {
      if (!(error instanceof NeedsValue)) throw error
      family.fixed.add(error.variable)
      family.statements.clear()
    }
  }
}

function keyOf({ fixed }: Family, { variables, sentVariables }: PlanInput, { principal }: SelectContext): string {
  const values = Object.entries(variables).map(([name, value]) => {
    if (value === null || value === undefined) return [name, null]
    // As it was sent, because the order of an order_by's keys is the order of sorting.
    return fixed.has(name) ? [name, value, sentVariables?.[name]] : name
  })
  const forms = Object.entries(principal.variables).map(([name, value]) => [
    name,
    isConstant(value) ? value : isSingle(value),
  ])
  return JSON.stringify([values, forms, principal.teamId === null])
}

/** What shapes the text by itself. */
const isConstant = (value: unknown): value is null | typeof everyTeam => value === null || value === everyTeam

/** A list of one, such as the only team of most callers, compiles to an equality. */
const isSingle = (value: unknown): value is readonly [unknown] => Array.isArray(value) && value.length === 1

function slotsFor(variables: PlanInput['variables'], fixed: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => {
      const isOpen = value !== null && value !== undefined && !fixed.has(name)
      return [name, isOpen ? new Slot(name, (source) => source.variables[name]) : value]
    }),
  )
}

/** The context with slots for everything that differs between callers of one role. */
function contextWithSlots(context: SelectContext): SelectContext {
  const { principal, request } = context
  const slot = (read: Slot['read']) => new Slot('', read) as never
  const variables = Object.fromEntries(
    Object.entries(principal.variables).map(([name, value]) => [
      name,
      isConstant(value)
        ? value
        : isSingle(value)
          ? [slot((source) => source.principal.variables[name]?.[0])]
          : slot((source) => source.principal.variables[name]),
    ]),
  ) as SessionVariables
  const anyone: Principal = {
    ...principal,
    variables,
    kind: slot((source) => source.principal.kind),
    id: slot((source) => source.principal.id),
    teamId: principal.teamId === null ? null : slot((source) => source.principal.teamId),
    integrationId: slot((source) => source.principal.integrationId),
  }
  return {
    ...context,
    principal: anyone,
    request: {
      ...request,
      id: slot((source) => source.request.id),
      address: slot((source) => source.request.address),
    },
  }
}
