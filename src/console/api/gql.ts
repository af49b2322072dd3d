/** GraphQL documents with the types of what they take and give. */
import { gql as parse, type TypedDocumentNode } from 'urql'

/** No variables. */
export type None = Record<string, never>

/** Every document of a page; a test checks them against the API's schema, so a page cannot ask for what is not there. */
export const allDocuments: TypedDocumentNode<unknown, never>[] = []

/**
 * A query, mutation or subscription.
 *
 * @example
 * export const liveFlows = gql<{ flows: FlowRow[] }, { team: string }>(`
 *   subscription Flows($team: uuid!) {
 *     flows(where: { team_id: { _eq: $team } }, order_by: [{ name: asc }]) { id name }
 *   }
 * `)
 */
export function gql<Data, Variables = None>(text: string): TypedDocumentNode<Data, Variables & object> {
  const document = parse<Data, Variables & object>(text)
  allDocuments.push(document as TypedDocumentNode<unknown, never>)
  return document
}
