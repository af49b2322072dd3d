import { gql } from '../../api/gql.ts'

export type MemberRole = 'admin' | 'editor' | 'viewer'

export interface MemberRow {
  readonly id: string
  readonly role: MemberRole
  readonly created_at: string
  readonly user: {
    readonly id: string
    readonly name: string
    /** Viewers are not told. */
    readonly email?: string
  }
}

const members = (name: string, ofUser: string) => `
  subscription ${name}($team: uuid!) {
    team_members(where: { team_id: { _eq: $team } }, order_by: [{ created_at: asc }], limit: 1000) {
      id role created_at
      user { ${ofUser} }
    }
  }
`

export const liveMembers = gql<{ team_members: MemberRow[] }, { team: string }>(members('Members', 'id name'))

export const liveMembersWithAddresses = gql<{ team_members: MemberRow[] }, { team: string }>(
  members('MembersForEditors', 'id name email'),
)

export interface InvitationRow {
  readonly id: string
  readonly email: string
  readonly role: MemberRole
  readonly created_at: string
  readonly expires_at: string
}

export const liveInvitations = gql<{ invitations: InvitationRow[] }, { team: string }>(`
  subscription InvitationsForEditors($team: uuid!) {
    invitations(
      where: { team_id: { _eq: $team }, accepted_at: { _is_null: true } }
      order_by: [{ created_at: desc }]
      limit: 1000
    ) { id email role created_at expires_at }
  }
`)

export const inviteMember = gql<
  { invite_member: { id: string } },
  { team_id: string; email: string; role: MemberRole }
>(`
  mutation InviteMember($team_id: uuid!, $email: String!, $role: String!) {
    invite_member(team_id: $team_id, email: $email, role: $role) { id }
  }
`)

export const resendInvitation = gql<{ resend_invitation: { id: string } }, { id: string }>(`
  mutation ResendInvitation($id: uuid!) { resend_invitation(id: $id) { id } }
`)

export const revokeInvitation = gql<{ revoke_invitation: boolean }, { id: string }>(`
  mutation RevokeInvitation($id: uuid!) { revoke_invitation(id: $id) }
`)

export const changeRole = gql<
  { update_team_members_by_pk: { id: string; role: MemberRole } | null },
  { id: string; role: MemberRole }
>(`
  mutation ChangeRole($id: uuid!, $role: member_role!) {
    update_team_members_by_pk(pk_columns: { id: $id }, _set: { role: $role }) { id role }
  }
`)

export const removeMember = gql<{ delete_team_members_by_pk: { id: string } | null }, { id: string }>(`
  mutation RemoveMember($id: uuid!) { delete_team_members_by_pk(id: $id) { id } }
`)

export interface TeamSettings {
  readonly retention_days: number | null
  readonly retention_after_retrieval_days: number | null
  readonly notification_email: string | null
}

export const liveTeam = gql<
  { teams_by_pk: ({ id: string; name: string; slug: string } & TeamSettings) | null },
  { team: string }
>(`
  subscription TeamSettings($team: uuid!) {
    teams_by_pk(id: $team) { id name slug retention_days retention_after_retrieval_days notification_email }
  }
`)

export const updateTeam = gql<{ update_teams_by_pk: { id: string } | null }, { id: string; _set: TeamSettings }>(`
  mutation UpdateTeam($id: uuid!, $_set: teams_set_input!) {
    update_teams_by_pk(pk_columns: { id: $id }, _set: $_set) {
      id retention_days retention_after_retrieval_days notification_email
    }
  }
`)
