/** Which session a file is for, and whether it may be given one. */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { reaches } from '../access/reach.ts'
import { SluiceError } from '../errors.ts'
import type { SessionPlace } from './keys.ts'

export interface PlaceRequest {
  /** Slugs; they may be left out for a session that is there already. */
  readonly team: string | null
  readonly flow: string | null
  readonly session_id: string
}

export interface Place extends SessionPlace {
  /** The session is submitted: the file becomes its own at once, and does not wait for it. */
  readonly submitted: boolean
}

interface PlaceRow {
  readonly team_id: string | null
  readonly flow_id: string | null
  readonly session_team_id: string | null
  readonly session_flow_id: string | null
  readonly over: boolean
}

/** @throws SluiceError FORBIDDEN, NOT_FOUND, CONFLICT (the session is another flow's), GONE (it has ended). */
export async function findPlace(pool: pg.Pool, request: PlaceRequest, principal: Principal): Promise<Place> {
  const { team, flow, session_id } = request
  const { rows } = await pool.query<PlaceRow>({
    name: 'files: find place',
    text: placeSql,
    values: [team, flow, session_id],
  })
  const found = rows[0] as PlaceRow
  const teamId = team === null ? found.session_team_id : found.team_id
  if (!teamId) {
    throw team === null
      ? new SluiceError(
          'NOT_FOUND',
          'There is no such session. For one that is not submitted yet, say its team and flow.',
        )
      : new SluiceError('NOT_FOUND', `There is no team "${team}". Check the slug.`, { path: 'object.team' })
  }
  if (!reaches(principal, teamId)) {
    throw team === null
      ? new SluiceError(
          'NOT_FOUND',
          'There is no such session. For one that is not submitted yet, say its team and flow.',
        )
      : new SluiceError('FORBIDDEN', `This credential may not upload files for the team "${team}".`, {
          path: 'object.team',
        })
  }
  const flowId = flow === null ? found.session_flow_id : found.flow_id
  if (!flowId) {
    throw new SluiceError('NOT_FOUND', `The team has no flow "${flow ?? ''}". Check the slug.`, { path: 'object.flow' })
  }
  const submitted = found.session_team_id !== null
  if (submitted && (found.session_team_id !== teamId || found.session_flow_id !== flowId)) {
    throw new SluiceError('CONFLICT', 'This session id is taken by a session of another flow.', {
      path: 'object.session_id',
    })
  }
  if (found.over) throw new SluiceError('GONE', 'This session has ended; nothing can be added to it.')
  return { team_id: teamId, flow_id: flowId, session_id, submitted }
}

const placeSql = `
select t.id as team_id, f.id as flow_id, s.team_id as session_team_id, s.flow_id as session_flow_id,
       coalesce(s.purged_at is not null or s.expires_at <= now(), false) as over
  from (select) origin
  left join teams t on t.slug = $1
  left join sessions s on s.id = $3::uuid
  left join flows f on f.team_id = coalesce(t.id, s.team_id) and f.slug = $2`
