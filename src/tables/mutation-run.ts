/**
 * Runs the writes of one request, in order, in one transaction: all of them or
 * none. Each is checked against the role's permission before and after it is
 * written, and what it returns is read by the role's own view, right after it.
 */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { clientError } from '../database/client-errors.ts'
import { inTransaction } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import type { Table } from './model.ts'
import {
  type DeleteWrite,
  type InsertWrite,
  MutationFailure,
  type Output,
  type Update,
  type UpdateWrite,
  type Write,
} from './mutation.ts'
import type { Root, Rows, Selected } from './query.ts'
import type { RoleView, VisibleTable } from './role-view.ts'
import type { WriteRules, WrittenRow } from './write-rules.ts'
import {
  deleteByKeys,
  deleteStatement,
  insertStatement,
  lockStatement,
  newRowsCheck,
  rowsByKeys,
  updateStatement,
  type WriteSqlContext,
  type WriteStatement,
  writtenRowsCheck,
} from './write-sql.ts'
import { keyOf } from './write-view.ts'

export interface MutationRun {
  readonly pool: pg.Pool
  readonly view: RoleView
  readonly principal: Principal
  readonly rules: WriteRules
  /** The statement that reads one root field as the caller may. */
  readonly select: (root: Root) => WriteStatement
  /** Called within the transaction for rows that were written; for rows that go, before they do. */
  readonly written?: (client: pg.ClientBase, rows: WrittenRows) => Promise<void>
}

/** What one write did to which rows. */
export interface WrittenRows {
  readonly table: Table
  readonly kind: Write['kind']
  readonly keys: readonly unknown[]
}

export interface MutationResult {
  /** JSON text of each root field, by response key. */
  readonly values: ReadonlyMap<string, string>
  /** Whether any row was written. */
  readonly changed: boolean
}

/** The most rows that one `returning` hands back. */
const mostReturned = 10_000

/** Two requests that wait for each other: Postgres ends one, which tries again. */
const attempts = 3
/** Who tries again does so one at a time, so that they do not end each other again. Any number that nobody else locks. */
const turnLock = 5_126_001
const worthAnotherAttempt = new Set(['40P01', '40001'])

/** @throws MutationFailure whose cause is a SluiceError, or an error of ours. */
export async function runMutation(writes: readonly Write[], run: MutationRun): Promise<MutationResult> {
  const prepared: Write[] = []
  for (const write of writes) prepared.push(await attributed(write.key, () => prepare(write, run)))
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inTransaction(run.pool, async (client) => {
        if (attempt > 1) await client.query('select pg_advisory_xact_lock($1)', [turnLock])
        return runAll(prepared, new Runner(client, run))
      })
    } catch (error) {
      const code = error instanceof MutationFailure ? (error.cause as { code?: unknown } | null)?.code : undefined
      if (attempt === attempts || !worthAnotherAttempt.has(String(code))) throw told(error)
    }
  }
}

async function runAll(writes: readonly Write[], runner: Runner): Promise<MutationResult> {
  const values = new Map<string, string>()
  for (const write of writes) values.set(write.key, await attributed(write.key, () => runner.write(write)))
  return { values, changed: runner.changed }
}

async function attributed<T>(key: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new MutationFailure(key, error)
  }
}

/** What the caller caused, told as such and with its place. */
function told(error: unknown): unknown {
  if (!(error instanceof MutationFailure)) return error
  const known = clientError(error.cause)
  if (!known || known.path) return error
  const { code, message, details } = known
  return new MutationFailure(
    error.key,
    new SluiceError(code, message, { path: error.key, details, cause: error.cause }),
  )
}

/** What the domain says to the values, before a connection is taken: it may look a name up. */
async function prepare(write: Write, { rules, principal }: MutationRun): Promise<Write> {
  const own = rules[write.table.table.name]
  if (write.kind === 'insert' && own?.beforeInsert) {
    const { beforeInsert } = own
    const rows: WrittenRow[] = []
    for (const [index, row] of write.rows.entries()) {
      rows.push(await placed(write.paths[index] as string, () => beforeInsert(row, { principal })))
    }
    return { ...write, rows }
  }
  if (write.kind === 'update' && own?.beforeUpdate) {
    const { beforeUpdate } = own
    const updates: Update[] = []
    for (const update of write.updates) {
      const set = await placed(`${update.path}._set`, () => beforeUpdate(update.set, { principal }))
      updates.push({ ...update, set })
    }
    return { ...write, updates }
  }
  return write
}

/** A rule names the place in the row; the caller is told the place in the operation. */
async function placed<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    const { code, message, details } = error
    throw new SluiceError(code, message, { path: error.path ? `${path}.${error.path}` : path, details, cause: error })
  }
}

class Runner {
  readonly #client: pg.ClientBase
  readonly #run: MutationRun
  readonly #sql: WriteSqlContext
  changed = false

  constructor(client: pg.ClientBase, run: MutationRun) {
    this.#client = client
    this.#run = run
    this.#sql = { view: run.view, variables: run.principal.variables }
  }

  async write(write: Write): Promise<string> {
    switch (write.kind) {
      case 'insert':
        return this.#insert(write)
      case 'update':
        return this.#update(write)
      case 'delete':
        return this.#delete(write)
    }
  }

  async #insert(write: InsertWrite): Promise<string> {
    if (write.rows.length === 0) return this.#answer(write, [])
    const refused = newRowsCheck(write, this.#sql)
    const [wrong] = refused ? await this.#query<{ row: number; allowed: boolean }>(refused) : []
    if (wrong) throw refusal(write.table, wrong.allowed, write.paths[wrong.row] ?? write.key)
    const rows = await this.#query<{ key: unknown; inserted: boolean }>(insertStatement(write, this.#sql)).catch(
      (error) => {
        throw presetFailure(error, write) ?? error
      },
    )
    const keys = rows.map(({ key }) => key)
    const updated = rows.filter(({ inserted }) => !inserted).map(({ key }) => key)
    await this.#checkWritten(write, keys, [write.permission.check])
    if (write.onConflict) await this.#checkWritten(write, updated, [write.onConflict.permission.check])
    await this.#applyRules(
      write,
      'afterInsert',
      rows.filter(({ inserted }) => inserted).map(({ key }) => key),
    )
    await this.#applyRules(write, 'afterUpdate', updated)
    await this.#tell(write, keys)
    return this.#answer(write, keys)
  }

  async #update(write: UpdateWrite): Promise<string> {
    const answers: string[] = []
    for (const update of write.updates) {
      const statement = updateStatement(write, update, this.#sql)
      const rows = statement ? await this.#query<{ key: unknown }>(statement) : []
      const keys = rows.map(({ key }) => key)
      await this.#checkWritten(write, keys, [write.permission.check], update.path)
      await this.#applyRules(write, 'afterUpdate', keys, update.path)
      await this.#tell(write, keys)
      answers.push(await this.#answer(write, keys))
    }
    return write.many ? `[${answers.join(',')}]` : (answers[0] as string)
  }

  /** What is returned of deleted rows is read before they go. */
  async #delete(write: DeleteWrite): Promise<string> {
    if (!returnsRows(write.output) && !this.#run.written) {
      return this.#answer(write, keysOf(await this.#query(deleteStatement(write, this.#sql))))
    }
    const keys = keysOf(await this.#query(lockStatement(write, this.#sql)))
    const answer = await this.#answer(write, keys)
    await this.#tell(write, keys)
    if (keys.length > 0) await this.#query(deleteByKeys(write.table.table, keys))
    return answer
  }

  async #checkWritten(
    { table: { table, writes }, key }: Write,
    keys: readonly unknown[],
    checks: Parameters<typeof writtenRowsCheck>[0]['checks'],
    path: string = key,
  ): Promise<void> {
    const statement = writtenRowsCheck({ table, keys, checks, agree: writes.agree }, this.#sql)
    const [wrong] = statement ? await this.#query<{ allowed: boolean }>(statement) : []
    if (wrong) throw refusal({ table, writes }, wrong.allowed, path)
  }

  async #applyRules(
    { table: { table }, key }: Write,
    moment: 'afterInsert' | 'afterUpdate',
    keys: readonly unknown[],
    path: string = key,
  ): Promise<void> {
    const rule = this.#run.rules[table.name]?.[moment]
    if (!rule || keys.length === 0) return
    const rows = await this.#query<WrittenRow>(rowsByKeys(table, keys))
    const { principal } = this.#run
    await placed(path, () => rule(rows, { principal, client: this.#client }))
  }

  async #tell({ table: { table }, kind }: Write, keys: readonly unknown[]): Promise<void> {
    if (keys.length > 0) await this.#run.written?.(this.#client, { table, kind, keys })
  }

  /** The JSON text of the root field, for the rows with these keys. */
  async #answer({ table, output, key }: Write, keys: readonly unknown[]): Promise<string> {
    if (keys.length > 0) this.changed = true
    if (output.kind === 'row') {
      return keys.length === 0 ? 'null' : this.#read(oneRow(table, keys, output.fields))
    }
    if (returnsRows(output) && keys.length > mostReturned) {
      throw new SluiceError(
        'TOO_LARGE',
        `${key} would return ${keys.length} rows; at most ${mostReturned} are returned. Ask for affected_rows alone, or write in parts.`,
        { path: key },
      )
    }
    const entries: string[] = []
    for (const field of output.fields) {
      const value =
        field.kind === 'typename'
          ? JSON.stringify(field.value)
          : field.kind === 'affected_rows'
            ? String(keys.length)
            : keys.length === 0
              ? '[]'
              : await this.#read({ kind: 'list', key: 'value', rows: rowsOf(table, keys), fields: field.fields })
      entries.push(`${JSON.stringify(field.key)}:${value}`)
    }
    return `{${entries.join(',')}}`
  }

  /** The statement answers `{"value" : …}`. */
  async #read(root: Root): Promise<string> {
    const [row] = await this.#query<{ data: string }>(this.#run.select(root))
    const data = row?.data as string
    return data.slice(data.indexOf(':') + 1, -1).trim()
  }

  async #query<R>({ text, values }: WriteStatement): Promise<R[]> {
    const { rows } = await this.#client.query(text, values as unknown[])
    return rows as R[]
  }
}

function returnsRows(output: Output): boolean {
  return output.kind === 'row' || output.fields.some(({ kind }) => kind === 'returning')
}

function keysOf(rows: readonly { key: unknown }[]): unknown[] {
  return rows.map(({ key }) => key)
}

function oneRow(table: VisibleTable, keys: readonly unknown[], fields: readonly Selected[]): Root {
  return { kind: 'one', key: 'value', rows: rowsOf(table, keys.slice(0, 1)), fields }
}

/** Inserted rows come back in their order; for more rows than an insert may have, order is not worth its price. */
const mostOrdered = 1_000

/** No limit but the number of keys. */
function rowsOf(visible: VisibleTable, keys: readonly unknown[]): Rows {
  const { name, type } = keyOf(visible.table)
  const operand = { kind: 'value', value: keys } as const
  return {
    from: { ...visible, limit: keys.length },
    where: { kind: 'compare', column: name, type, list: false, operator: '_in', operand },
    orderBy: keys.length <= mostOrdered ? [{ through: [], column: name, direction: 'asc', among: keys }] : [],
    distinctOn: [],
    limit: null,
    offset: 0,
  }
}

function refusal(
  { table, writes }: Pick<VisibleTable, 'table' | 'writes'>,
  allowed: boolean,
  path: string,
): SluiceError {
  if (!allowed) {
    return new SluiceError(
      'FORBIDDEN',
      `${path} is not yours to write: the row, or one that it refers to, is outside of what your role may write in ${table.name}.`,
      { path },
    )
  }
  const pairs = writes.agree.map(([left, right]) =>
    [left, right].map(({ relation, column }) => `${relation}.${column}`).join(' and '),
  )
  return new SluiceError('VALIDATION_FAILED', `${path}: ${pairs.join('; ')} must be the same in ${table.name}.`, {
    path,
  })
}

/** A column that we take from a related row is null when there is no such row. */
function presetFailure(error: unknown, { permission, key }: InsertWrite): SluiceError | null {
  const { code, column } = error as { code?: string; column?: string }
  const preset = code === '23502' && column !== undefined ? permission.presets.get(column) : undefined
  if (preset === undefined || typeof preset === 'string') return null
  return new SluiceError('VALIDATION_FAILED', `${key} refers to an ${preset.relation} that does not exist.`, {
    path: key,
    cause: error,
  })
}
