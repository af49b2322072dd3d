/**
 * Where files lie in the bucket: `team/flow/session/file`. The first three are ids, which no rename moves, so that
 * everything of a session can be found, and removed, by one prefix; the last is the file's id and a readable name.
 */
import { randomBytes } from 'node:crypto'

export interface SessionPlace {
  readonly team_id: string
  readonly flow_id: string
  readonly session_id: string
}

/** Everything of one session begins with this. */
export function sessionPrefix({ team_id, flow_id, session_id }: SessionPlace): string {
  return `${team_id}/${flow_id}/${session_id}/`
}

/**
 * A key that was never used before, so that what was checked under it cannot be replaced by anything later.
 *
 * @param name is only there for people who look into the bucket; what is not plain ASCII becomes `_`.
 */
export function newObjectKey(place: SessionPlace, fileId: string, name: string): string {
  return `${sessionPrefix(place)}${fileId}-${randomBytes(4).toString('hex')}-${readable(name)}`
}

/**
 * Where a pre-signed upload goes. What is there counts for nothing until it was copied to a key of its own, which no
 * link can write to: an upload link that is used again after the check changes nothing.
 */
export function incomingKey(key: string): string {
  const slash = key.lastIndexOf('/')
  return `${key.slice(0, slash)}/incoming/${key.slice(slash + 1, slash + 37)}`
}

/** The session of an object; undefined for keys that are not made here. */
export function sessionOf(key: string): string | undefined {
  return keyPattern.exec(key)?.[1]
}

const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const keyPattern = new RegExp(`^${uuid}/${uuid}/(${uuid})/(?:incoming/${uuid}|${uuid}-[A-Za-z0-9._-]+)$`)

function readable(name: string): string {
  const plain = name
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9._-]+/g, '_')
    .replace(/\.{2,}/g, '.')
  return plain.length <= 80 ? plain : `${plain.slice(0, 60)}_${plain.slice(-19)}`
}
