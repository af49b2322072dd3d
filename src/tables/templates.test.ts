import { getOperationAST, getVariableValues, parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import type { Principal } from '../access/principal.ts'
import { createBuilder } from './builder.ts'
import { readModel } from './model.ts'
import { planOperation } from './plan.ts'
import { roleView } from './role-view.ts'
import { addTables } from './schema.ts'
import { selectStatement } from './select.ts'
import { createTemplates } from './templates.ts'

const view = roleView(readModel(), 'consumer')
const builder = createBuilder()
builder.queryType({})
builder.subscriptionType({})
addTables(builder, view)
const schema = builder.toSchema()

const [one, two] = ['64608023-8592-449b-8fa0-00aed82c734c', '01a2008c-10be-78e5-9eba-7d1904eb09c0']
const principal = (integration: string | null): Principal => ({
  kind: 'credential',
  id: one,
  role: 'consumer',
  variables: { 'x-hasura-team-ids': [one], 'x-hasura-integration-id': integration },
  teamId: one,
  integrationId: integration,
  expiresAt: null,
})

function compare(query: string, calls: readonly (readonly [Record<string, unknown>, string | null])[]) {
  const document = parse(query)
  const operation = getOperationAST(document)
  if (!operation) throw new Error('no operation')
  const templates = createTemplates()
  const texts = calls.map(([sentVariables, integration], index) => {
    const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], sentVariables)
    const input = { schema, view, document, operation, variables: coerced ?? {}, sentVariables }
    const context = {
      view,
      principal: principal(integration),
      retentionAfterRetrievalDays: 5,
      request: { id: `request ${index}`, address: null, operation: 'query' },
    }
    const direct = selectStatement(planOperation(input) ?? [], context)
    expect(templates.statement(input, context)).toEqual(direct)
    return direct.text
  })
  return new Set(texts).size
}

describe('a compiled read that comes again', () => {
  it('has the text and the values that it would have without being kept', () => {
    const query = `query ($id: uuid!, $ids: [uuid!], $config: jsonb) {
      sessions_by_pk(id: $id) { id data }
      sessions(where: { id: { _in: $ids }, config: { _contains: $config } }) { id events(where: { session_id: { _eq: $id } }) { type } }
    }`
    const texts = compare(query, [
      [{ id: one, ids: [one], config: { a: 1 } }, one],
      [{ id: two, ids: [one, two], config: { a: 1 } }, two],
      [{ id: two, ids: [], config: { a: 1 } }, one],
      [{ id: two, ids: [one], config: { a: 1 } }, null],
    ])
    // A caller without an integration has a text of its own: its comparisons are with null.
    expect(texts).toBe(2)
  })

  it('is compiled again where its text depends on a variable', () => {
    const query = `query ($where: sessions_bool_exp, $order: [sessions_order_by!], $limit: Int, $more: Boolean = false, $path: String) {
      sessions(where: $where, order_by: $order, limit: $limit) { id config(path: $path) status @include(if: $more) }
    }`
    compare(query, [
      [{}, one],
      [{ where: null, limit: null }, one],
      [{ where: { id: { _eq: one } }, limit: 3 }, one],
      [{ where: { id: { _eq: two } }, limit: 3, more: true }, one],
      [{ where: { kind: { _eq: 'booking' } }, order: [{ submitted_at: 'asc', id: 'desc' }] }, one],
      [{ where: { kind: { _eq: 'booking' } }, order: [{ id: 'desc', submitted_at: 'asc' }], path: '$.a' }, one],
      [{ where: { kind: { _eq: 'booking' } }, order: [{ id: 'desc', submitted_at: 'asc' }], path: '$.b' }, one],
    ])
  })

  it('looks into values that hold variables', () => {
    const query = `query ($a: uuid!, $text: String!, $part: jsonb) {
      sessions(where: { _or: [{ id: { _in: [$a] } }, { payment_id: { _like: $text } }, { config: { _contains: { part: $part } } }] }) { id }
    }`
    compare(query, [
      [{ a: one, text: 'x%', part: 1 }, one],
      [{ a: two, text: 'y%', part: { deep: [2] } }, one],
    ])
  })

  it.each([
    ['a list that holds too much', { ids: Array.from({ length: 1_001 }, () => one) }, /at most 1000/],
    ['a limit below zero', { limit: -1 }, /must not be negative/],
  ])('refuses %s every time', (_, variables, message) => {
    const query =
      'query ($ids: [uuid!] = [], $limit: Int = 1) { sessions(where: { id: { _in: $ids } }, limit: $limit) { id } }'
    const document = parse(query)
    const operation = getOperationAST(document)
    if (!operation) throw new Error('no operation')
    const templates = createTemplates()
    const ask = (sentVariables: Record<string, unknown>) => {
      const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], sentVariables)
      const input = { schema, view, document, operation, variables: coerced ?? {}, sentVariables }
      const request = { id: 'request', address: null, operation: 'query' }
      return templates.statement(input, { view, principal: principal(one), retentionAfterRetrievalDays: 5, request })
    }
    expect(ask({})).not.toBeNull()
    for (let times = 0; times < 3; times += 1) expect(() => ask(variables)).toThrow(message)
    expect(ask({})).not.toBeNull()
  })
})
