/**
 * Applies the migrations of `prisma/migrations` in-process, with Prisma's own
 * schema engine compiled to WebAssembly: no binary is downloaded, and the
 * `_prisma_migrations` table stays the one that the ordinary Prisma CLI keeps.
 */
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils'
import type { MigrationList, SchemaEngine as SchemaEngineType } from '@prisma/schema-engine-wasm'
import pg from 'pg'
import { SluiceError } from '../errors.ts'
import { reachDatabase } from './reach.ts'

const prismaFolder = path.join(import.meta.dirname, '../../prisma')

/** "sluice" as a number: the advisory lock that lets one process migrate at a time. */
const migrationLock = 0x51_01_ce

const noFilter = { externalTables: [], externalEnums: [] }

/**
 * Brings the database up to the newest migration. Processes that start together
 * wait for each other; those that come second find nothing to do. A database
 * that is already up to date costs one query and does not load the engine.
 *
 * @returns the names of the migrations that were applied.
 * @throws SluiceError CONFIGURATION when the database cannot be used, is newer than this code, or a migration fails.
 */
export async function migrate(databaseUrl: string): Promise<readonly string[]> {
  const client = await reachDatabase(databaseUrl)
  try {
    await client.query('select pg_advisory_lock($1)', [migrationLock])
    const wanted = await migrationNames()
    const applied = await appliedMigrations(client)
    const unknown = [...applied].filter((name) => !wanted.includes(name))
    if (unknown.length > 0) {
      throw new SluiceError(
        'CONFIGURATION',
        `The database has migrations that this version of Sluice does not know (${unknown.join(', ')}). Start a newer version, or use another database.`,
      )
    }
    if (wanted.every((name) => applied.has(name))) return []
    return await withSchemaEngine(databaseUrl, async (engine) => {
      const { appliedMigrationNames } = await engine.applyMigrations({
        migrationsList: await migrationList(),
        filters: noFilter,
      })
      return appliedMigrationNames
    })
  } catch (error) {
    if (error instanceof SluiceError) throw error
    throw new SluiceError('CONFIGURATION', `The database could not be migrated: ${engineMessage(error)}`, {
      cause: error,
    })
  } finally {
    await client.end()
  }
}

/**
 * The SQL that would bring a migrated, empty database to `schema.prisma`; empty
 * when both agree. `databaseUrl` must already be migrated.
 */
export async function schemaDrift(databaseUrl: string): Promise<string> {
  const file = path.join(prismaFolder, 'schema.prisma')
  const files = [{ path: file, content: await readFile(file, 'utf8') }]
  return withSchemaEngine(databaseUrl, async (engine) => {
    const { stdout } = await engine.diff({
      from: { tag: 'schemaDatasource', files, configDir: prismaFolder },
      to: { tag: 'schemaDatamodel', files },
      script: true,
      exitCode: null,
      filters: { ...noFilter, externalTables: ['public._prisma_migrations'] },
    })
    return (stdout ?? '').replace('-- This is an empty migration.', '').trim()
  })
}

async function appliedMigrations(client: pg.Client): Promise<Set<string>> {
  const { rows } = await client.query<{ exists: boolean }>(
    `select to_regclass('_prisma_migrations') is not null as exists`,
  )
  if (!rows[0]?.exists) return new Set()
  const done = await client.query<{ migration_name: string }>(
    'select migration_name from _prisma_migrations where finished_at is not null and rolled_back_at is null',
  )
  return new Set(done.rows.map((row) => row.migration_name))
}

/** All that this version knows, oldest first. */
export async function migrationNames(): Promise<string[]> {
  const entries = await readdir(path.join(prismaFolder, 'migrations'), { withFileTypes: true })
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
}

async function migrationList(): Promise<MigrationList> {
  const baseDir = path.join(prismaFolder, 'migrations')
  const lockfile = await readFile(path.join(baseDir, 'migration_lock.toml'), 'utf8')
  const names = await migrationNames()
  return {
    baseDir,
    lockfile: { path: 'migration_lock.toml', content: lockfile },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(
      names.map(async (name) => ({
        path: name,
        migrationFile: {
          path: 'migration.sql',
          content: { tag: 'ok' as const, value: await readFile(path.join(baseDir, name, 'migration.sql'), 'utf8') },
        },
      })),
    ),
  }
}

async function withSchemaEngine<T>(databaseUrl: string, use: (engine: SchemaEngineType) => Promise<T>): Promise<T> {
  const pool = new EnginePool({ connectionString: databaseUrl, max: 2 })
  const factory = bindMigrationAwareSqlAdapterFactory(new EngineAdapterFactory(pool))
  const { SchemaEngine } = await loadSchemaEngine()
  const file = path.join(prismaFolder, 'schema.prisma')
  const engine = await SchemaEngine.new(
    { datamodels: [[file, await readFile(file, 'utf8')]] },
    () => undefined,
    factory,
  )
  try {
    return await use(engine)
  } finally {
    engine.free()
    await pool.end()
  }
}

/**
 * Prisma's Postgres adapter, mended in two places for the schema engine:
 *
 * - It splits a script at every semicolon, also inside a function body. Sent
 *   whole, Postgres parses it and runs it as one transaction, so a migration
 *   that fails leaves nothing half done.
 * - It refuses the one-byte type `"char"` that the engine reads from the
 *   catalog. The pool below disguises it as `char[]`, and here it becomes a character.
 */
class EngineAdapterFactory extends PrismaPg {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    super(pool)
    this.#pool = pool
  }

  override async connect() {
    const adapter = await super.connect()
    const queryRaw = adapter.queryRaw.bind(adapter)
    adapter.queryRaw = async (query) => {
      const result = await queryRaw(query)
      const columnTypes = result.columnTypes.map((type) =>
        type === ColumnTypeEnum.CharacterArray ? ColumnTypeEnum.Character : type,
      )
      return { ...result, columnTypes }
    }
    adapter.executeScript = async (script) => {
      await this.#pool.query(script)
    }
    return adapter
  }
}

class EnginePool extends pg.Pool {
  // biome-ignore lint/suspicious/noExplicitAny: pg overloads `query` nine times; the adapter uses the promise form.
  override async query(...parameters: any[]): Promise<any> {
    // biome-ignore lint/suspicious/noExplicitAny: see above.
    const result = await (super.query as (...all: any[]) => Promise<any>).apply(this, parameters)
    for (const field of result.fields ?? []) if (field.dataTypeID === oids.char) field.dataTypeID = oids.charArray
    return result
  }
}

const oids = { char: 18, charArray: 1002 }

/** The package's own entry imports the `.wasm` file as a module, which Node calls experimental; this does the same by hand. */
function loadSchemaEngine(): Promise<{ SchemaEngine: typeof SchemaEngineType }> {
  engineModule ??= instantiateSchemaEngine()
  return engineModule
}

interface WebAssemblyApi {
  instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: { __wbindgen_start(): void } } }>
}

/** Node has it; only TypeScript's browser library declares it. */
const webAssembly = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly

/** Its glue code keeps one instance per process, so it is made once. */
let engineModule: Promise<{ SchemaEngine: typeof SchemaEngineType }> | undefined

async function instantiateSchemaEngine(): Promise<{ SchemaEngine: typeof SchemaEngineType }> {
  const entry = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg')
  const glue = await import(pathToFileURL(entry).href)
  const bytes = await readFile(entry.replace(/\.js$/, '.wasm'))
  const { instance } = await webAssembly.instantiate(bytes, { './schema_engine_bg.js': glue })
  glue.__wbg_set_wasm(instance.exports)
  instance.exports.__wbindgen_start()
  return glue
}

function engineMessage(error: unknown): string {
  // The engine adds where in its own code that was.
  if (error instanceof Error) return error.message.replace(/\n\s+0: [\s\S]*$/, '')
  return typeof error === 'object' ? JSON.stringify(error) : String(error)
}
