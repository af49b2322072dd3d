/** What the GraphQL actions of people do, and for whom. */
import type { Attempts } from '../access/attempts.ts'
import { noteForAudit } from '../access/audit-notes.ts'
import {
  acceptInvitation,
  type InvitationWithToken,
  invite,
  type MemberRole,
  openInvitation,
  renewInvitation,
  revokeInvitation,
} from '../access/invitations.ts'
import { changePassword, newPasswordReset, resetPassword } from '../access/password-changes.ts'
import { checkedName, checkPassword, wrongPassword } from '../access/people.ts'
import type { Principal } from '../access/principal.ts'
import { reaches } from '../access/reach.ts'
import { type Begun, endAllSignIns, RefreshReused, type SignInAnswer, type SignIns } from '../access/sign-ins.ts'
import type { SlowHash } from '../access/slow-hash.ts'
import { type Database, inTransaction } from '../database/database.ts'
import type { Mailer } from '../egress/mail.ts'
import { messageOf, SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { RequestContext } from '../tables/request-context.ts'
import { invitationMail, passwordChangedMail, passwordResetMail } from './people-mails.ts'
import type { InvitationAnswer, PeopleActions } from './people-schema.ts'

export interface PeopleActionsOptions {
  readonly database: Database
  readonly signIns: SignIns
  readonly attempts: Attempts
  /** What passwords are checked with, shared with the secrets of API keys. */
  readonly slowHash: SlowHash
  readonly mailer: Mailer
  /** Where the console is, without a slash at the end: links in mails lead there. */
  readonly publicUrl: string
  readonly invitationDays: number
  readonly passwordResetMinutes: number
  /** Called when rows have changed. */
  readonly committed: () => void
  readonly log: Log
}

export interface ClosablePeopleActions extends PeopleActions {
  /** Waits for what goes on after its answer. */
  close(): Promise<void>
}

export function createPeopleActions(options: PeopleActionsOptions): ClosablePeopleActions {
  const {
    database,
    signIns,
    attempts,
    slowHash,
    mailer,
    publicUrl,
    invitationDays,
    passwordResetMinutes,
    committed,
    log,
  } = options
  const { pool } = database
  const unfinished = new Set<Promise<void>>()

  /** For what must not show in the time of an answer. */
  const afterwards = (what: string, work: () => Promise<unknown>): void => {
    const done: Promise<void> = Promise.resolve()
      .then(work)
      .then(
        () => undefined,
        (error) => log.error({ error: messageOf(error) }, `${what} failed`),
      )
      .finally(() => unfinished.delete(done))
    unfinished.add(done)
  }

  const signedIn = ({ principal, answer }: Begun, context: RequestContext): SignInAnswer => {
    noteForAudit(context, { principal })
    committed()
    return answer
  }

  const sendInvitation = async (invitation: InvitationWithToken): Promise<InvitationAnswer> => {
    committed()
    const { token, team_name, ...answer } = invitation
    await mailer.send(
      invitationMail({
        to: invitation.email,
        team: team_name,
        role: invitation.role,
        days: invitationDays,
        link: `${publicUrl}/console/invitation#${token}`,
      }),
    )
    return answer
  }

  /** An invitation of a team that the caller may invite to. */
  const ownInvitation = async (id: string, { principal }: RequestContext): Promise<void> => {
    const { team_id, role } = await openInvitation(database, id)
    if (!mayInvite(principal, team_id, role)) {
      throw new SluiceError('NOT_FOUND', `You have no open invitation ${id}.`, { path: 'id' })
    }
  }

  return {
    async signIn(email, password, context) {
      const key = email.trim().toLowerCase().slice(0, 254)
      await attempts.check('password', key, context.address)
      const { right, userId } = await checkPassword(database, email, password, slowHash)
      if (!right) {
        noteForAudit(context, { actor: { kind: 'person', id: userId } })
        await attempts.failed('password', key, context.address)
        throw wrongPassword()
      }
      attempts.succeeded('password', key, context.address)
      return signedIn(await signIns.begin(userId, deviceOf(context)), context)
    },

    async refresh(refreshToken, context) {
      try {
        return signedIn(await signIns.refresh(refreshToken, deviceOf(context)), context)
      } catch (error) {
        if (error instanceof RefreshReused) {
          committed()
          noteForAudit(context, { actor: { kind: 'person', id: error.userId }, detail: { reason: 'reused' } })
        }
        throw error
      }
    },

    async signOut(context) {
      const { id, signInId } = personOf(context)
      if (!signInId) {
        throw new SluiceError(
          'BAD_REQUEST',
          'This token is of no sign-in here. Sign out where you got it; sign_out_everywhere voids it here.',
        )
      }
      await signIns.end(signInId, id)
      committed()
      return true
    },

    async signOutEverywhere(context) {
      const { id } = personOf(context)
      await inTransaction(pool, async (client) => {
        if (!(await endAllSignIns(client, id))) throw noPersonHere('sign out there')
      })
      committed()
      return true
    },

    async profile({ kind, id }) {
      if (kind !== 'person') return null
      const { rows } = await pool.query('select id, name, email from users where id = $1', [id])
      return rows[0] ?? null
    },

    async updateProfile(name, context) {
      const { id } = personOf(context)
      const { rows } = await pool.query('update users set name = $2 where id = $1 returning id, name, email', [
        id,
        checkedName(name),
      ])
      if (!rows[0]) throw noPersonHere('change your name there')
      committed()
      return rows[0]
    },

    async invite({ teamId, email, role }, context) {
      const { principal } = context
      if (role !== 'editor' && role !== 'viewer' && role !== 'admin') {
        throw new SluiceError('VALIDATION_FAILED', 'The role must be editor or viewer, or admin by a platform admin.', {
          path: 'role',
        })
      }
      if (!mayInvite(principal, teamId, 'viewer')) {
        throw new SluiceError('NOT_FOUND', `You have no team ${teamId}.`, { path: 'team_id' })
      }
      if (!mayInvite(principal, teamId, role)) {
        throw new SluiceError(
          'FORBIDDEN',
          'Editors invite editors and viewers; who administers a team, an admin says.',
          {
            path: 'role',
          },
        )
      }
      const invitedBy = personOf(context).id
      return sendInvitation(await invite(database, { teamId, email, role, invitedBy, days: invitationDays }))
    },

    async resendInvitation(id, context) {
      await ownInvitation(id, context)
      return sendInvitation(await renewInvitation(database, id, invitationDays))
    },

    async revokeInvitation(id, context) {
      await ownInvitation(id, context)
      await revokeInvitation(database, id)
      committed()
      return true
    },

    async acceptInvitation({ token, name, password }, context) {
      const { principal, address } = context
      const { userId, invitation } = await acceptInvitation(database, {
        token,
        name,
        password,
        signedIn: principal.kind === 'person' ? principal.id : null,
        slowHash,
        guard: {
          check: (email) => attempts.check('password', email, address),
          failed: (email) => attempts.failed('password', email, address),
        },
      })
      committed()
      noteForAudit(context, { team_id: invitation.team_id, ids: { invitation_id: invitation.id } })
      return signedIn(await signIns.begin(userId, deviceOf(context)), context)
    },

    async requestPasswordReset(email, context) {
      const key = email.trim().toLowerCase().slice(0, 254)
      await attempts.check('reset', key, context.address)
      // Each counts, since none can be told from a failed one; and nothing else is done before the answer.
      await attempts.failed('reset', key, context.address)
      afterwards('a password reset', async () => {
        const reset = await newPasswordReset(database, key, passwordResetMinutes * 60)
        if (!reset) return
        const link = `${publicUrl}/console/reset-password#${reset.token}`
        await mailer.send(passwordResetMail({ to: reset.email, name: reset.name, minutes: passwordResetMinutes, link }))
      })
      return true
    },

    async resetPassword(token, password, context) {
      const { userId, email } = await resetPassword(database, token, password)
      afterwards('telling of a changed password', () => mailer.send(passwordChangedMail({ to: email })))
      return signedIn(await signIns.begin(userId, deviceOf(context)), context)
    },

    async changePassword(oldPassword, newPassword, context) {
      const { id, signInId = null } = personOf(context)
      await attempts.check('password', id, context.address)
      try {
        const { email } = await changePassword(database, {
          userId: id,
          signInId,
          old: oldPassword,
          new: newPassword,
          slowHash,
        })
        afterwards('telling of a changed password', () => mailer.send(passwordChangedMail({ to: email })))
      } catch (error) {
        if (error instanceof SluiceError && error.code === 'UNAUTHENTICATED') {
          await attempts.failed('password', id, context.address)
        }
        throw error
      }
      const device = deviceOf(context)
      return signedIn(await (signInId ? signIns.renew(signInId, device) : signIns.begin(id, device)), context)
    },

    async disablePerson(id, context) {
      if (id === context.principal.id) {
        throw new SluiceError('CONFLICT', 'You cannot disable yourself; another admin can.', { path: 'id' })
      }
      await inTransaction(pool, async (client) => {
        const { rowCount } = await client.query(
          'update users set disabled_at = coalesce(disabled_at, clock_timestamp()) where id = $1',
          [id],
        )
        if (rowCount === 0) throw new SluiceError('NOT_FOUND', `There is no person ${id}.`, { path: 'id' })
        await endAllSignIns(client, id)
      })
      committed()
      return true
    },

    async enablePerson(id) {
      const { rowCount } = await pool.query('update users set disabled_at = null where id = $1', [id])
      if (rowCount === 0) throw new SluiceError('NOT_FOUND', `There is no person ${id}.`, { path: 'id' })
      committed()
      return true
    },

    async close() {
      await Promise.all(unfinished)
    },
  }
}

function deviceOf({ address, userAgent }: RequestContext) {
  return { address, userAgent: userAgent ?? null }
}

function personOf({ principal }: RequestContext): Principal {
  if (principal.kind === 'person') return principal
  throw new SluiceError('FORBIDDEN', 'This is for people who signed in, not for API keys.')
}

/** A platform admin invites to every team and to any role; an editor to their own teams, as editor or viewer. */
function mayInvite(principal: Principal, teamId: string, invitedAs: MemberRole): boolean {
  if (principal.role === 'admin') return true
  return principal.role === 'editor' && reaches(principal, teamId) && invitedAs !== 'admin'
}

function noPersonHere(advice: string): SluiceError {
  return new SluiceError('NOT_FOUND', `You are known by your issuer only; ${advice}.`)
}
