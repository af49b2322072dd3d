/** One GraphQL operation over plain HTTP, outside of the cache: for signing in, when there is no client yet. */
import { Fault, faultOfJson } from './fault.ts'

export interface PostOptions {
  /** Where the API is. @default '/graphql' */
  readonly endpoint?: string
  /** An access token; without it the operation runs as nobody. */
  readonly token?: string
  /** Which of their roles the person acts in. */
  readonly role?: string
}

/**
 * @returns `data` of the answer.
 * @throws Fault what the API refused, or `NETWORK`.
 */
export async function post<Data>(
  query: string,
  variables: Readonly<Record<string, unknown>>,
  { endpoint = '/graphql', token, role }: PostOptions = {},
): Promise<Data> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(role ? { 'x-hasura-role': role } : {}),
    },
    body: JSON.stringify({ query, variables }),
  }).catch((cause: unknown) => {
    throw new Fault('NETWORK', 'The gateway cannot be reached.', { cause })
  })
  const answer = await response.json().catch((cause: unknown) => {
    throw new Fault('NETWORK', `The gateway answered ${response.status} without JSON.`, { cause })
  })
  const [error] = answer.errors ?? []
  if (error) throw faultOfJson(error)
  return answer.data
}
