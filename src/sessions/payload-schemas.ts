/** JSON Schemas of sessions' data: which one a session follows, and what may be stored. */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import type pg from 'pg'
import { z } from 'zod'
import type { Principal } from '../access/principal.ts'
import { reaches, reachOf } from '../access/reach.ts'
import type { Database } from '../database/database.ts'
import { messageOf, SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { RuleContext, TableRules, WrittenRow } from '../tables/write-rules.ts'
import type { LoadDocument, Problem, SchemaChecker } from './schema-checker.ts'

/** The largest public schema of planning applications, major revision 0.7, has 0.83 MB. */
const largestDocument = 2 * 1024 * 1024

/** What the lookup of a flow says about schemas; columns of `schemaFacts`. */
export interface SchemaFacts {
  /** Changes whenever a schema that the team may use changes. */
  readonly version: string | null
  /** Those of the two that are stored: what the flow requires, and what the session says. */
  readonly stored: readonly { readonly url: string; readonly name: string }[] | null
}

/** SQL: SchemaFacts as JSON, or null when there is nothing to look up. `required` and `stated` are URLs, `team` an id. */
export const schemaFacts = (required: string, stated: string, team: string) => `
  case when coalesce(${required}, ${stated}) is not null then (
    select json_build_object(
             'version', md5(string_agg(p.id::text || p.xmin::text, ',' order by p.id)),
             'stored', json_agg(json_build_object('url', p.url, 'name', p.name)) filter (where p.url in (${required}, ${stated})))
      from payload_schemas p where p.team_id is null or p.team_id = ${team}) end`

export interface SchemaQuestion {
  readonly team_id: string
  /** `flows.schema_url` */
  readonly required: string | null
  /** The session's own `schema_url`. */
  readonly stated: string | null
  readonly facts: SchemaFacts | null
  /** JSON text. */
  readonly data: string
}

export interface SchemaParts {
  readonly database: Pick<Database, 'pool'>
  readonly checker: SchemaChecker
}

export interface DataVerdict {
  /** What the data was checked against; else what the session says. */
  readonly schema_url: string | null
  /** Why the data is not what it should be; empty when it is. */
  readonly problems: readonly Problem[]
}

/**
 * Checks data against the schema that it has to follow.
 *
 * A flow's schema is required of its sessions. A session may say that it follows another stored version of it (equal
 * `name`) and is checked against that one. Where the flow requires none, what the session says is checked if it is
 * stored, and else taken as it is.
 */
export async function judgeData(question: SchemaQuestion, { database, checker }: SchemaParts): Promise<DataVerdict> {
  const url = schemaToFollow(question)
  const { team_id, stated, facts, data } = question
  if (url === null) return { schema_url: stated, problems: [] }
  if (!facts?.stored?.some((schema) => schema.url === url)) {
    const message = `The flow requires the schema ${url}, which is not stored. Store it with upsert_payload_schema, then call revalidate_session.`
    return { schema_url: url, problems: [{ path: '', keyword: 'schema', message }] }
  }
  const key = JSON.stringify([team_id, url, facts.version])
  const problems = await checker.validate({ url, key, data, load: loaderFor(database.pool, [team_id]) })
  return { schema_url: url, problems }
}

/** Null when there is none to check against. */
export function schemaToFollow({ required, stated, facts }: Omit<SchemaQuestion, 'data' | 'team_id'>): string | null {
  const nameOf = (url: string | null) => facts?.stored?.find((schema) => schema.url === url)?.name
  if (required === null) return nameOf(stated) === undefined ? null : stated
  const isVersion = stated !== null && nameOf(stated) !== undefined && nameOf(stated) === nameOf(required)
  return isVersion ? stated : required
}

/** Documents of the platform and of these teams, or of all. */
function loaderFor(pool: pg.Pool, teams: readonly string[] | 'all'): LoadDocument {
  return async (url) => {
    const { rows } = await pool.query<{ document: string }>(
      'select document::text from payload_schemas where url = $1 and ($2 or team_id is null or team_id = any($3::uuid[]))',
      [url, teams === 'all', teams === 'all' ? [] : teams],
    )
    return rows[0]?.document ?? null
  }
}

const schemaInput = z.strictObject({
  team_id: z.uuid().nullish(),
  url: z
    .url({ protocol: /^https?$/, message: 'must be an http or https URL' })
    .max(2000)
    .refine((url) => !url.includes('#'), { message: 'must have no fragment (#…)' }),
  name: z.string().min(1).max(200),
  version: z.string().min(1).max(100),
  document: z.record(z.string(), z.unknown()),
})

export interface StoredSchema {
  readonly id: string
  readonly url: string
  /** False when it took the place of another under the same URL. */
  readonly created: boolean
  /** URLs that it refers to and that are not stored yet. */
  readonly missing: readonly string[]
}

/**
 * Stores a schema under its URL, in place of what was there. Editors store their own team's, admins any; one without
 * `team_id` is the platform's, for every team.
 *
 * @throws SluiceError VALIDATION_FAILED saying what is wrong with it; FORBIDDEN; CONFLICT when the URL is another team's.
 */
export async function upsertPayloadSchema(
  input: unknown,
  principal: Principal,
  { database, checker }: SchemaParts,
): Promise<StoredSchema> {
  const parsed = schemaInput.safeParse(input)
  if (!parsed.success) {
    const message = parsed.error.issues.map((issue) => `${['object', ...issue.path].join('.')}: ${issue.message}`)
    throw new SluiceError('VALIDATION_FAILED', message.join('; '), { path: 'object' })
  }
  const { url, name, version, document } = parsed.data
  const { everywhere, teamIds } = reachOf(principal)
  const team = parsed.data.team_id ?? (everywhere ? null : teamIds.length === 1 ? teamIds[0] : null)
  if (principal.role !== 'admin' && !(team && reaches(principal, team))) {
    throw new SluiceError('FORBIDDEN', 'An editor stores schemas for a team of their own: set team_id to it.', {
      path: 'object.team_id',
    })
  }
  const load = loaderFor(database.pool, everywhere ? 'all' : teamIds)
  const { missing } = await checked(checker, { url, document, load })
  const { rows } = await database.pool.query<{ id: string; created: boolean }>(
    `insert into payload_schemas (team_id, url, name, version, document) values ($1, $2, $3, $4, $5)
     on conflict (url) do update set name = excluded.name, version = excluded.version, document = excluded.document, updated_at = now()
      where payload_schemas.team_id is not distinct from excluded.team_id
     returning id, xmax = 0 as created`,
    [team, url, name, version, JSON.stringify(document)],
  )
  const stored = rows[0]
  if (!stored) {
    throw new SluiceError(
      'CONFLICT',
      `The schema ${url} is stored by somebody else. Store yours under a URL of your own.`,
      {
        path: 'object.url',
      },
    )
  }
  return { ...stored, url, missing }
}

async function checked(
  checker: SchemaChecker,
  { url, document, load }: { readonly url: string; readonly document: unknown; readonly load: LoadDocument },
): Promise<{ readonly missing: readonly string[] }> {
  const text = JSON.stringify(document)
  const size = Buffer.byteLength(text)
  if (size > largestDocument) {
    throw new SluiceError('TOO_LARGE', `A schema may have ${largestDocument} bytes; this one has ${size}.`, {
      path: 'document',
    })
  }
  const { problem, missing } = await checker.check({ url, document: text, load })
  if (problem !== null) {
    throw new SluiceError('VALIDATION_FAILED', `The schema cannot be used. ${problem}`, { path: 'document' })
  }
  return { missing }
}

/** The same for `insert_payload_schemas` and `update_payload_schemas`. */
export function payloadSchemaRules(checker: SchemaChecker): TableRules {
  const load: LoadDocument = async () => null
  const check = async (values: WrittenRow, _context: RuleContext): Promise<WrittenRow> => {
    const given = schemaInput.partial().safeParse(values)
    if (!given.success) {
      const [issue] = given.error.issues
      throw new SluiceError('VALIDATION_FAILED', `${issue?.message}`, { path: issue?.path.join('.') })
    }
    const { url = 'https://schema.invalid/', document } = given.data
    if (document !== undefined) await checked(checker, { url, document, load })
    return values
  }
  return { beforeInsert: check, beforeUpdate: (changes, context) => check(changes, context) }
}

/**
 * Stores every `.json` of a folder as a schema of the platform, under its `$id`; `title` and `version` of the document
 * name it. What is stored already and equal is left alone.
 *
 * @throws SluiceError CONFIGURATION naming the file that cannot be used.
 */
export async function storeSchemaFolder(
  folder: string,
  { database, checker, log }: SchemaParts & { readonly log: Log },
): Promise<void> {
  const names = await readdir(folder).catch((cause) => {
    throw new SluiceError('CONFIGURATION', `SCHEMA_FOLDER ${folder} cannot be read: ${messageOf(cause)}.`, { cause })
  })
  for (const name of names.filter((file) => file.endsWith('.json')).sort()) {
    try {
      const document = z
        .looseObject({ $id: schemaInput.shape.url })
        .parse(JSON.parse(await readFile(path.join(folder, name), 'utf8')))
      await checked(checker, { url: document.$id, document, load: loaderFor(database.pool, 'all') })
      const title = String(document.title ?? path.basename(name, '.json')).slice(0, 200)
      const version = String(document.version ?? '1').slice(0, 100)
      const { rowCount } = await database.pool.query(
        `insert into payload_schemas (url, name, version, document) values ($1, $2, $3, $4)
         on conflict (url) do update set name = excluded.name, version = excluded.version, document = excluded.document, updated_at = now()
          where payload_schemas.team_id is null
            and (payload_schemas.document, payload_schemas.name, payload_schemas.version) is distinct from (excluded.document, excluded.name, excluded.version)`,
        [document.$id, title, version, JSON.stringify(document)],
      )
      if (rowCount) log.info({ url: document.$id, file: name }, 'stored a payload schema')
    } catch (cause) {
      throw new SluiceError(
        'CONFIGURATION',
        `${path.join(folder, name)} is no schema that can be stored: ${messageOf(cause)}`,
        { cause },
      )
    }
  }
}
