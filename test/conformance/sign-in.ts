import type { World } from '../ground/world.ts'

/** The `Authorization` header of a person. */
export async function signIn(
  world: World,
  person: { readonly email: string; readonly password: string },
): Promise<string> {
  const { data, errors } = await world.graphql<{ sign_in: { token: string } }>(signInDocument, { variables: person })
  if (errors) throw new Error(errors[0]?.message)
  return `Bearer ${data.sign_in.token}`
}

export const signInDocument =
  'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }'
