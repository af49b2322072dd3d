/** Who one is, and signing in. Neither needs a token, so every role's schema has both. */
import type { Principal } from '../access/principal.ts'
import type { Builder } from '../tables/builder.ts'
import type { RequestContext } from '../tables/request-context.ts'

export interface SignInResult {
  readonly token: string
  readonly expires_in: number
  readonly role: string
}

export interface PeopleActions {
  signIn(email: string, password: string, context: RequestContext): Promise<SignInResult>
}

export function addPeopleActions(builder: Builder, actions: PeopleActions): void {
  const whoami = builder.objectRef<Principal>('whoami_output').implement({
    fields: (t) => ({
      kind: t.exposeString('kind', { nullable: false, description: 'credential, person, or anonymous.' }),
      id: t.exposeString('id', { nullable: false }),
      role: t.exposeString('role', { nullable: false }),
      team_ids: t.field({ type: ['uuid'], nullable: false, resolve: (principal) => [...teamIds(principal)] }),
      integration_id: t.field({ type: 'uuid', nullable: true, resolve: (principal) => principal.integrationId }),
    }),
  })
  builder.queryField('whoami', (t) =>
    t.field({
      type: whoami,
      nullable: false,
      description: 'Who you are to this gateway.',
      resolve: (_, __, context) => context.principal,
    }),
  )
  const output = builder.objectRef<SignInResult>('sign_in_output').implement({
    fields: (t) => ({
      token: t.exposeString('token', { nullable: false, description: 'Send it as "Authorization: Bearer …".' }),
      expires_in: t.exposeInt('expires_in', { nullable: false, description: 'Its life, in seconds.' }),
      role: t.exposeString('role', { nullable: false }),
    }),
  })
  builder.mutationField('sign_in', (t) =>
    t.field({
      type: output,
      nullable: false,
      description: 'An access token for a person.',
      args: { email: t.arg.string({ required: true }), password: t.arg.string({ required: true }) },
      resolve: (_, { email, password }, context) => actions.signIn(email, password, context),
    }),
  )
}

function teamIds({ variables }: Principal): readonly string[] {
  const ids = variables['x-hasura-team-ids']
  return Array.isArray(ids) ? ids : []
}
