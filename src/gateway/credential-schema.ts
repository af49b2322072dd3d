/** GraphQL actions of API credentials: making, rotating and revoking them. A secret is shown once, by the action that makes it. */
import type { Role } from '../access/principal.ts'
import type { Builder } from '../tables/builder.ts'
import type { RequestContext } from '../tables/request-context.ts'

export interface CreatedCredential {
  readonly id: string
  readonly key: string
  /** Null for a credential that signs with keys of its own. */
  readonly secret: string | null
}

export interface RotatedCredential {
  readonly id: string
  readonly secret: string
  readonly secret_id: string
  readonly previous_expires_at: string | null
}

export interface EndedAccess {
  readonly id: string
  readonly ended_at: string
}

/** What a caller gives; the actions check it. */
export interface CredentialInput {
  readonly integration_id?: string | null
  readonly team_id?: string | null
  readonly role?: string | null
  readonly name: string
  readonly expires_at?: string | null
  readonly allowed_addresses?: readonly string[] | null
  readonly jwks?: unknown
}

export interface CredentialActions {
  create(object: CredentialInput, context: RequestContext): Promise<CreatedCredential>
  rotate(id: string, overlapSeconds: number | null, context: RequestContext): Promise<RotatedCredential>
  revoke(id: string, context: RequestContext): Promise<EndedAccess>
  revokeSecret(id: string, context: RequestContext): Promise<EndedAccess>
  setKeys(id: string, jwks: unknown, context: RequestContext): Promise<{ readonly id: string }>
}

/** Adds the actions for the roles that keep credentials: editors for their teams, admins for all. */
export function addCredentialActions(builder: Builder, role: Role, actions: CredentialActions): void {
  if (role !== 'admin' && role !== 'editor') return
  const created = builder.objectRef<CreatedCredential>('create_credential_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }),
      key: t.exposeString('key', { nullable: false, description: 'Public; the client_id of OAuth.' }),
      secret: t.exposeString('secret', {
        nullable: true,
        description: 'Hand it over now; it is not shown again. Null with jwks.',
      }),
    }),
  })
  const rotated = builder.objectRef<RotatedCredential>('rotate_credential_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }),
      secret: t.exposeString('secret', { nullable: false, description: 'The new secret; it is not shown again.' }),
      secret_id: t.field({ type: 'uuid', nullable: false, resolve: ({ secret_id }) => secret_id }),
      previous_expires_at: t.field({
        type: 'timestamptz',
        nullable: true,
        description: 'When the secret before it ends; null when there was none.',
        resolve: ({ previous_expires_at }) => previous_expires_at,
      }),
    }),
  })
  const ended = builder.objectRef<EndedAccess>('ended_access_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }),
      ended_at: t.field({ type: 'timestamptz', nullable: false, resolve: ({ ended_at }) => ended_at }),
    }),
  })
  const withKeys = builder.objectRef<{ readonly id: string }>('set_credential_keys_output').implement({
    fields: (t) => ({ id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }) }),
  })
  const input = builder.inputType('create_credential_input', {
    fields: (t) => ({
      integration_id: t.field({ type: 'uuid', description: 'The integration that a consumer reads for.' }),
      team_id: t.field({ type: 'uuid', description: 'The team that a source submits for.' }),
      role: t.string({ description: 'consumer or source; consumer if integration_id is given, else source.' }),
      name: t.string({ required: true, description: 'Who holds it, for people to read.' }),
      expires_at: t.field({ type: 'timestamptz', description: 'When it ends; never if not given.' }),
      allowed_addresses: t.stringList({ description: 'Addresses and CIDRs it may be used from; all if not given.' }),
      jwks: t.field({
        type: 'jsonb',
        description: 'Public keys for private_key_jwt: {"keys": […]}. Then there is no secret.',
      }),
    }),
  })

  builder.mutationField('create_credential', (t) =>
    t.field({
      type: created,
      nullable: false,
      description: 'Makes an API credential and shows its secret.',
      args: { object: t.arg({ type: input, required: true }) },
      resolve: (_, { object }, context) => actions.create(object, context),
    }),
  )
  builder.mutationField('rotate_credential', (t) =>
    t.field({
      type: rotated,
      nullable: false,
      description: 'Gives a credential a new secret. The one before goes on until the overlap ends; an older one ends.',
      args: {
        id: t.arg({ type: 'uuid', required: true }),
        overlap_seconds: t.arg.int({ description: '86400 (a day) if not given; 0 ends the old secret at once.' }),
      },
      resolve: (_, { id, overlap_seconds }, context) => actions.rotate(id, overlap_seconds ?? null, context),
    }),
  )
  builder.mutationField('revoke_credential', (t) =>
    t.field({
      type: ended,
      nullable: false,
      description: 'Ends a credential with its secrets, tokens and connections, within a second.',
      args: { id: t.arg({ type: 'uuid', required: true }) },
      resolve: (_, { id }, context) => actions.revoke(id, context),
    }),
  )
  builder.mutationField('revoke_credential_secret', (t) =>
    t.field({
      type: ended,
      nullable: false,
      description: 'Ends one secret of a credential, with the tokens and connections that were got with it.',
      args: { id: t.arg({ type: 'uuid', required: true, description: "The secret's id, as in api_secrets." }) },
      resolve: (_, { id }, context) => actions.revokeSecret(id, context),
    }),
  )
  builder.mutationField('set_credential_keys', (t) =>
    t.field({
      type: withKeys,
      nullable: false,
      description: 'Replaces the public keys of a credential that signs. Keep the old key in it while it is in use.',
      args: {
        id: t.arg({ type: 'uuid', required: true }),
        jwks: t.arg({ type: 'jsonb', required: true }),
      },
      resolve: (_, { id, jwks }, context) => actions.setKeys(id, jwks, context),
    }),
  )
}
