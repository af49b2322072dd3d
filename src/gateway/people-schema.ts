/**
 * GraphQL actions of people: signing in and staying signed in, invitations, passwords. What somebody needs who has no
 * token yet is in every role's schema.
 */
import { allowedRoles, type Principal, type Role } from '../access/principal.ts'
import { reachOf } from '../access/reach.ts'
import type { SignInAnswer } from '../access/sign-ins.ts'
import type { Builder } from '../tables/builder.ts'
import type { RequestContext } from '../tables/request-context.ts'

export interface Profile {
  readonly id: string
  readonly name: string
  readonly email: string
}

export interface InvitationAnswer {
  readonly id: string
  readonly team_id: string
  readonly email: string
  readonly role: string
  readonly expires_at: Date
}

export interface PeopleActions {
  signIn(email: string, password: string, context: RequestContext): Promise<SignInAnswer>
  refresh(refreshToken: string, context: RequestContext): Promise<SignInAnswer>
  signOut(context: RequestContext): Promise<boolean>
  signOutEverywhere(context: RequestContext): Promise<boolean>
  /** Null for whoever is not a person of this installation. */
  profile(principal: Principal): Promise<Profile | null>
  updateProfile(name: string, context: RequestContext): Promise<Profile>
  invite(
    invitation: { readonly teamId: string; readonly email: string; readonly role: string },
    context: RequestContext,
  ): Promise<InvitationAnswer>
  resendInvitation(id: string, context: RequestContext): Promise<InvitationAnswer>
  revokeInvitation(id: string, context: RequestContext): Promise<boolean>
  acceptInvitation(
    acceptance: { readonly token: string; readonly name: string | null; readonly password: string | null },
    context: RequestContext,
  ): Promise<SignInAnswer>
  requestPasswordReset(email: string, context: RequestContext): Promise<boolean>
  resetPassword(token: string, password: string, context: RequestContext): Promise<SignInAnswer>
  changePassword(oldPassword: string, newPassword: string, context: RequestContext): Promise<SignInAnswer>
  disablePerson(id: string, context: RequestContext): Promise<boolean>
  enablePerson(id: string, context: RequestContext): Promise<boolean>
}

export function addPeopleActions(builder: Builder, role: Role, actions: PeopleActions): void {
  addWhoami(builder, actions)
  const signedIn = signInOutput(builder)
  addEntrance(builder, signedIn, actions)
  const isPerson = role === 'admin' || role === 'editor' || role === 'viewer'
  if (isPerson) addOwnAccount(builder, signedIn, actions)
  if (role === 'admin' || role === 'editor') addInvitations(builder, actions)
  if (role === 'admin') addAdministration(builder, actions)
}

function addWhoami(builder: Builder, actions: PeopleActions): void {
  // Both fields of one answer come from one query.
  const profiles = new WeakMap<object, Promise<Profile | null>>()
  const profileOf = ({ principal }: RequestContext, key: object) => {
    const known = profiles.get(key) ?? actions.profile(principal)
    profiles.set(key, known)
    return known
  }
  const whoami = builder.objectRef<{ readonly principal: Principal }>('whoami_output').implement({
    fields: (t) => ({
      kind: t.string({
        nullable: false,
        description: 'credential, person, or anonymous.',
        resolve: ({ principal }) => principal.kind,
      }),
      id: t.string({ nullable: false, resolve: ({ principal }) => principal.id }),
      role: t.string({
        nullable: false,
        description: 'What you act as now.',
        resolve: ({ principal }) => principal.role,
      }),
      allowed_roles: t.field({
        type: ['String'],
        nullable: false,
        description: 'What the header x-hasura-role may ask for.',
        resolve: ({ principal }) => [...allowedRoles(principal)],
      }),
      name: t.string({
        nullable: true,
        description: 'Of a person.',
        resolve: async (root, _, context) => (await profileOf(context, root))?.name ?? null,
      }),
      email: t.string({
        nullable: true,
        description: 'Of a person.',
        resolve: async (root, _, context) => (await profileOf(context, root))?.email ?? null,
      }),
      team_ids: t.field({
        type: ['uuid'],
        nullable: false,
        description: 'The teams of this role; empty also for who acts on every team.',
        resolve: ({ principal }) => [...reachOf(principal).teamIds],
      }),
      integration_id: t.field({
        type: 'uuid',
        nullable: true,
        resolve: ({ principal }) => principal.integrationId,
      }),
    }),
  })
  builder.queryField('whoami', (t) =>
    t.field({
      type: whoami,
      nullable: false,
      description: 'Who you are to this gateway.',
      resolve: (_, __, { principal }) => ({ principal }),
    }),
  )
}

/** What needs no token. */
function addEntrance(builder: Builder, output: SignInOutput, actions: PeopleActions): void {
  builder.mutationField('sign_in', (t) =>
    t.field({
      type: output,
      nullable: false,
      description: 'An access token for a person, and a refresh token to get the next with.',
      args: { email: t.arg.string({ required: true }), password: t.arg.string({ required: true }) },
      resolve: (_, { email, password }, context) => actions.signIn(email, password, context),
    }),
  )
  builder.mutationField('refresh', (t) =>
    t.field({
      type: output,
      nullable: false,
      description:
        'A new access token with the roles of now, and the next refresh token. A refresh token is used once; one that comes back later ends the sign-in. Send no Authorization header.',
      args: { refresh_token: t.arg.string({ required: true }) },
      resolve: (_, { refresh_token }, context) => actions.refresh(refresh_token, context),
    }),
  )
  builder.mutationField('accept_invitation', (t) =>
    t.field({
      type: output,
      nullable: false,
      description:
        'Joins a team with the token of an invitation. Who is new gives a name and chooses a password; who is known is signed in, or gives the password they have.',
      args: {
        token: t.arg.string({ required: true }),
        name: t.arg.string(),
        password: t.arg.string(),
      },
      resolve: (_, { token, name, password }, context) =>
        actions.acceptInvitation({ token, name: name ?? null, password: password ?? null }, context),
    }),
  )
  builder.mutationField('request_password_reset', (t) =>
    t.field({
      type: 'Boolean',
      nullable: false,
      description: 'Sends a link to this address if a person has it. The answer is always true.',
      args: { email: t.arg.string({ required: true }) },
      resolve: (_, { email }, context) => actions.requestPasswordReset(email, context),
    }),
  )
  builder.mutationField('reset_password', (t) =>
    t.field({
      type: output,
      nullable: false,
      description: 'Sets a new password with the token of such a link. All sign-ins from before end.',
      args: { token: t.arg.string({ required: true }), password: t.arg.string({ required: true }) },
      resolve: (_, { token, password }, context) => actions.resetPassword(token, password, context),
    }),
  )
}

function addOwnAccount(builder: Builder, signedIn: SignInOutput, actions: PeopleActions): void {
  builder.mutationField('sign_out', (t) =>
    t.field({
      type: 'Boolean',
      nullable: false,
      description: 'Ends this sign-in: its refresh token and all of its access tokens, at once.',
      resolve: (_, __, context) => actions.signOut(context),
    }),
  )
  builder.mutationField('sign_out_everywhere', (t) =>
    t.field({
      type: 'Boolean',
      nullable: false,
      description: 'Ends all of your sign-ins, this one too.',
      resolve: (_, __, context) => actions.signOutEverywhere(context),
    }),
  )
  builder.mutationField('change_password', (t) =>
    t.field({
      type: signedIn,
      nullable: false,
      description: 'Ends every other sign-in, and gives new tokens for this one: those from before are void.',
      args: { old_password: t.arg.string({ required: true }), new_password: t.arg.string({ required: true }) },
      resolve: (_, { old_password, new_password }, context) =>
        actions.changePassword(old_password, new_password, context),
    }),
  )
  const profile = builder.objectRef<Profile>('profile_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }),
      name: t.exposeString('name', { nullable: false }),
      email: t.exposeString('email', { nullable: false }),
    }),
  })
  builder.mutationField('update_profile', (t) =>
    t.field({
      type: profile,
      nullable: false,
      description: 'Changes what others see of you.',
      args: { name: t.arg.string({ required: true }) },
      resolve: (_, { name }, context) => actions.updateProfile(name, context),
    }),
  )
}

function addInvitations(builder: Builder, actions: PeopleActions): void {
  const output = builder.objectRef<InvitationAnswer>('invitation_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }),
      team_id: t.field({ type: 'uuid', nullable: false, resolve: ({ team_id }) => team_id }),
      email: t.exposeString('email', { nullable: false }),
      role: t.exposeString('role', { nullable: false }),
      expires_at: t.field({
        type: 'timestamptz',
        nullable: false,
        resolve: ({ expires_at }) => expires_at.toISOString(),
      }),
    }),
  })
  builder.mutationField('invite_member', (t) =>
    t.field({
      type: output,
      nullable: false,
      description:
        'Mails a link that makes whoever has this address a member of the team. It replaces an earlier one to them.',
      args: {
        team_id: t.arg({ type: 'uuid', required: true }),
        email: t.arg.string({ required: true }),
        role: t.arg.string({ required: true, description: 'editor or viewer; a platform admin may give admin too.' }),
      },
      resolve: (_, { team_id, email, role }, context) => actions.invite({ teamId: team_id, email, role }, context),
    }),
  )
  builder.mutationField('resend_invitation', (t) =>
    t.field({
      type: output,
      nullable: false,
      description: 'Mails a new link; the one before opens nothing any more.',
      args: { id: t.arg({ type: 'uuid', required: true }) },
      resolve: (_, { id }, context) => actions.resendInvitation(id, context),
    }),
  )
  builder.mutationField('revoke_invitation', (t) =>
    t.field({
      type: 'Boolean',
      nullable: false,
      description: 'Takes back an invitation that is still open.',
      args: { id: t.arg({ type: 'uuid', required: true }) },
      resolve: (_, { id }, context) => actions.revokeInvitation(id, context),
    }),
  )
}

function addAdministration(builder: Builder, actions: PeopleActions): void {
  builder.mutationField('disable_person', (t) =>
    t.field({
      type: 'Boolean',
      nullable: false,
      description: 'Ends all that a person has, and lets them in no more. Their memberships stay.',
      args: { id: t.arg({ type: 'uuid', required: true }) },
      resolve: (_, { id }, context) => actions.disablePerson(id, context),
    }),
  )
  builder.mutationField('enable_person', (t) =>
    t.field({
      type: 'Boolean',
      nullable: false,
      description: 'Lets a person in again; they sign in anew.',
      args: { id: t.arg({ type: 'uuid', required: true }) },
      resolve: (_, { id }, context) => actions.enablePerson(id, context),
    }),
  )
}

type SignInOutput = ReturnType<typeof signInOutput>

function signInOutput(builder: Builder) {
  return builder.objectRef<SignInAnswer>('sign_in_output').implement({
    fields: (t) => ({
      token: t.exposeString('token', { nullable: false, description: 'Send it as "Authorization: Bearer …".' }),
      expires_in: t.exposeInt('expires_in', { nullable: false, description: 'Its life, in seconds.' }),
      role: t.exposeString('role', { nullable: false }),
      allowed_roles: t.field({
        type: ['String'],
        nullable: false,
        description: 'What the header x-hasura-role may ask for.',
        resolve: ({ allowed_roles }) => [...allowed_roles],
      }),
      refresh_token: t.exposeString('refresh_token', {
        nullable: false,
        description: 'For the action refresh, once. Keep it where other pages cannot read it.',
      }),
      refresh_expires_in: t.exposeInt('refresh_expires_in', {
        nullable: false,
        description: 'Seconds until the refresh token ends unless it is used.',
      }),
    }),
  })
}
