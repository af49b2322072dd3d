import { gql } from '../../api/gql.ts'

export interface SecretRow {
  readonly id: string
  /** Its last characters, to tell two apart. */
  readonly ending: string | null
  readonly created_at: string
  readonly expires_at: string | null
  readonly last_used_at: string | null
}

export interface CredentialRow {
  readonly id: string
  readonly name: string
  readonly key_id: string
  readonly role: 'consumer' | 'source'
  readonly environment: string
  readonly allowed_addresses: readonly string[]
  readonly created_at: string
  readonly expires_at: string | null
  readonly revoked_at: string | null
  readonly integration: { readonly id: string; readonly name: string } | null
  /** The newest first. None for a credential that signs with keys of its own. */
  readonly secrets: readonly SecretRow[]
}

export const liveCredentials = gql<{ api_credentials: CredentialRow[] }, { owner: object; limit: number }>(`
  subscription Credentials($owner: uuid_comparison_exp!, $limit: Int!) {
    api_credentials(where: { team_id: $owner }, order_by: [{ created_at: desc }], limit: $limit) {
      id name key_id role environment allowed_addresses created_at expires_at revoked_at
      integration { id name }
      secrets(order_by: [{ created_at: desc }], limit: 20) { id ending created_at expires_at last_used_at }
    }
  }
`)

export const integrationsOfTeam = gql<{ integrations: { id: string; name: string }[] }, { owner: object }>(`
  query IntegrationsForCredentials($owner: uuid_comparison_exp!) {
    integrations(where: { team_id: $owner }, order_by: [{ name: asc }], limit: 1000) { id name }
  }
`)

export interface NewCredential {
  readonly role: 'consumer' | 'source'
  readonly name: string
  readonly integration_id?: string
  readonly team_id?: string
  readonly expires_at?: string
  readonly allowed_addresses?: readonly string[]
}

export const createCredential = gql<
  { create_credential: { id: string; key: string; secret: string } },
  { object: NewCredential }
>(`
  mutation CreateCredential($object: create_credential_input!) {
    create_credential(object: $object) { id key secret }
  }
`)

export const rotateCredential = gql<
  { rotate_credential: { id: string; secret: string; previous_expires_at: string | null } },
  { id: string; overlap: number }
>(`
  mutation RotateCredential($id: uuid!, $overlap: Int!) {
    rotate_credential(id: $id, overlap_seconds: $overlap) { id secret previous_expires_at }
  }
`)

export const revokeCredential = gql<{ revoke_credential: { id: string } }, { id: string }>(`
  mutation RevokeCredential($id: uuid!) { revoke_credential(id: $id) { id } }
`)

export const revokeSecret = gql<{ revoke_credential_secret: { id: string } }, { id: string }>(`
  mutation RevokeSecret($id: uuid!) { revoke_credential_secret(id: $id) { id } }
`)
