/**
 * Where files lie in the bucket: `team/flow/session/file`. The first three are ids, which no rename moves, so that
 * everything of a session can be found, and removed, by one prefix; the last is the file's id and a readable name.
 */

export interface SessionPlace {
  readonly team_id: string
  readonly flow_id: string
  readonly session_id: string
}

/** Everything of one session begins with this. */
export function sessionPrefix({ team_id, flow_id, session_id }: SessionPlace): string {
  return `${team_id}/${flow_id}/${session_id}/`
}

/** @param name is only there for people who look into the bucket; what is not plain ASCII becomes `_`. */
export function objectKey(place: SessionPlace, fileId: string, name: string): string {
  return `${sessionPrefix(place)}${fileId}-${readable(name)}`
}

/**
 * Where a pre-signed upload goes. What is there counts for nothing until it was copied to the object key, which no link
 * can write to: an upload link that is used again after the check changes nothing.
 */
export function incomingKey(key: string): string {
  const slash = key.lastIndexOf('/')
  return `${key.slice(0, slash)}/incoming/${key.slice(slash + 1, slash + 37)}`
}

/** The id of the file that an object belongs to; undefined for objects that are none of this folder's. */
export function fileIdOf(key: string): string | undefined {
  return keyPattern.exec(key)?.groups?.id
}

const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const keyPattern = new RegExp(`^(?:${uuid}/){3}(?:incoming/(?<id>${uuid})$|(?<id>${uuid})-[A-Za-z0-9._-]*$)`)

function readable(name: string): string {
  const plain = name
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9._-]+/g, '_')
    .replace(/\.{2,}/g, '.')
  return plain.length <= 80 ? plain : `${plain.slice(0, 60)}_${plain.slice(-19)}`
}
