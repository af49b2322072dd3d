/** `connector install`: hands a package in, to a running Sluice or straight into its database. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openDatabase } from '../../database/database.ts'
import { reachDatabase } from '../../database/reach.ts'
import { SluiceError } from '../../errors.ts'
import { silentLog } from '../../log.ts'
import { bundleConnector } from '../bundle.ts'
import { installConnector, reviewConnector } from '../registry.ts'
import { unpackTarball } from '../tarball.ts'
import { packConnector } from './pack.ts'

export interface InstallOptions {
  /** Approve it too. */
  readonly approve: boolean
}

/**
 * @param env `SLUICE_URL` (such as http://localhost:4000) and `SLUICE_TOKEN` of an admin, or `DATABASE_URL`.
 * @param given a folder, or a tarball.
 * @returns lines for the person who ran it.
 * @throws SluiceError CONFIGURATION, VALIDATION_FAILED, CONFLICT (the version is there with other content).
 */
export async function installFromFolder(
  env: Readonly<Record<string, string | undefined>>,
  given: string,
  options: InstallOptions,
): Promise<readonly string[]> {
  const info = await stat(given).catch((cause) => {
    throw new SluiceError(
      'VALIDATION_FAILED',
      `There is no ${given}. Name a folder, or a tarball of "connector pack".`,
      {
        cause,
      },
    )
  })
  if (env.SLUICE_URL) {
    // What cannot be bundled is told here, in full, before anything is sent.
    if (info.isDirectory()) await bundleConnector(given)
    const tarball = info.isDirectory() ? (await packConnector(given)).tarball : await readFile(given)
    return installOverApi(env.SLUICE_URL, env.SLUICE_TOKEN, tarball, options)
  }
  if (!env.DATABASE_URL) {
    throw new SluiceError(
      'CONFIGURATION',
      'Say where to: SLUICE_URL and SLUICE_TOKEN of a running Sluice, or DATABASE_URL of its database.',
    )
  }
  await (await reachDatabase(env.DATABASE_URL)).end()
  return installIntoDatabase(env.DATABASE_URL, given, info.isDirectory(), options)
}

interface Installed {
  readonly id: string
  readonly implementation: string
  readonly version: string
  readonly status: string
}

async function installOverApi(
  url: string,
  token: string | undefined,
  tarball: Buffer,
  { approve }: InstallOptions,
): Promise<readonly string[]> {
  if (!token) {
    throw new SluiceError('CONFIGURATION', 'SLUICE_TOKEN is missing: an access token of an admin, for SLUICE_URL.')
  }
  const endpoint = new URL('/graphql', url).href
  const ask = (query: string, variables: object) => askGraphql(endpoint, token, query, variables)
  const { installed } = (await ask(installMutation, { tarball: tarball.toString('base64') })) as {
    installed: Installed
  }
  if (approve) await ask(reviewMutation, { id: installed.id })
  return told(approve ? { ...installed, status: 'approved' } : installed)
}

/** @internal exported for its test */
export const installMutation = `mutation Install($tarball: String!) {
  installed: install_connector(tarball: $tarball) { id implementation version status }
}`

/** @internal exported for its test */
export const reviewMutation = `mutation Review($id: uuid!) { review_connector(id: $id, decision: "approve") { id } }`

/** The person's own machine talks to a server of their choice, so this does not go through the guard of outbound calls. */
async function askGraphql(endpoint: string, token: string, query: string, variables: object): Promise<unknown> {
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(120_000),
  }).catch((cause) => {
    throw new SluiceError('UNAVAILABLE', `${endpoint} cannot be reached: ${cause.cause?.message ?? cause.message}.`, {
      cause,
    })
  })
  const text = await answer.text()
  let body: { data?: unknown; errors?: { message: string }[] }
  try {
    body = JSON.parse(text)
  } catch (cause) {
    throw new SluiceError('UNAVAILABLE', `${endpoint} answered ${answer.status} and no JSON. Check SLUICE_URL.`, {
      cause,
    })
  }
  if (body.errors?.length) {
    throw new SluiceError('VALIDATION_FAILED', body.errors.map(({ message }) => message).join('\n'))
  }
  return body.data
}

async function installIntoDatabase(
  url: string,
  given: string,
  isFolder: boolean,
  { approve }: InstallOptions,
): Promise<readonly string[]> {
  const database = openDatabase({ url, poolSize: 2, log: silentLog, applicationName: 'sluice connector install' })
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-install-'))
  try {
    const root = isFolder ? given : await unpackTarball(await readFile(given), folder)
    const installed = await installConnector({ database, source: isFolder ? 'folder' : 'tarball' }, root)
    if (approve) await reviewConnector({ database }, installed.id, 'approved')
    return told(approve ? { ...installed, status: 'approved' } : installed)
  } finally {
    await rm(folder, { recursive: true, force: true })
    await database.close()
  }
}

function told({ id, implementation, version, status }: Installed): readonly string[] {
  const next = status === 'approved' ? 'It can be connected.' : 'An admin must approve it before it can be connected.'
  return [`${implementation}@${version} is ${status}. ${next}`, `id ${id}`]
}
