/** The schema of one's role as a file, by introspection, as any client can. Loaded when somebody asks for it. */
import {
  buildClientSchema,
  getIntrospectionQuery,
  type IntrospectionQuery,
  lexicographicSortSchema,
  printSchema,
} from 'graphql'
import type { Role } from '../../api/person.ts'
import { post } from '../../api/post.ts'
import type { SignIn } from '../../api/sign-in.ts'

/** Saves `sluice-<role>.graphql`. @throws Fault for example where the operator has switched introspection off. */
export async function saveSchema(signIn: SignIn, role: Role): Promise<void> {
  const token = (await signIn.token()) ?? undefined
  const answer = await post<IntrospectionQuery>(getIntrospectionQuery(), {}, { token, role })
  const text = `${printSchema(lexicographicSortSchema(buildClientSchema(answer)))}\n`
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/graphql' }))
  link.download = `sluice-${role}.graphql`
  link.click()
  URL.revokeObjectURL(link.href)
}
