/** Fetches one exact version of a package from an npm registry, through the guarded way out, and checks its hash. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { type Egress, EgressError, type EgressResponse } from '../egress/egress.ts'
import { SluiceError } from '../errors.ts'
import { tarballLimits } from './tarball.ts'

export interface NpmReference {
  readonly name: string
  readonly version: string
}

const reference = /^npm:((?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*)@(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/

/**
 * @param text `npm:name@version`; the version is exact, because what was reviewed is what runs.
 * @throws SluiceError VALIDATION_FAILED
 * @example parseNpmReference('npm:@example/bops@1.2.0') // { name: '@example/bops', version: '1.2.0' }
 */
export function parseNpmReference(text: string): NpmReference {
  const [, name, version] = (text.length <= 300 && reference.exec(text)) || []
  if (name === undefined || version === undefined) {
    throw new SluiceError(
      'VALIDATION_FAILED',
      'reference: write npm:name@version with an exact version, such as npm:@example/bops@1.2.0.',
      { path: 'reference' },
    )
  }
  return { name, version }
}

const description = z.object({
  name: z.string(),
  version: z.string(),
  dist: z.object({ tarball: z.url(), integrity: z.string() }),
})

/**
 * @param registry where packages come from, such as `https://registry.npmjs.org`; undefined when the operator allows none.
 * @returns the tarball, whose SHA-512 is the one that the registry states.
 * @throws SluiceError FORBIDDEN (no registry), NOT_FOUND, VALIDATION_FAILED, TOO_LARGE, UNAVAILABLE
 */
export async function fetchNpmPackage(
  egress: Egress,
  registry: string | undefined,
  { name, version }: NpmReference,
): Promise<Buffer> {
  if (registry === undefined) {
    throw new SluiceError(
      'FORBIDDEN',
      'This installation takes no packages from a registry. Upload the tarball, or ask the operator to set CONNECTOR_REGISTRY_URL.',
    )
  }
  const base = new URL(registry.endsWith('/') ? registry : `${registry}/`)
  const address = new URL(`${name.replace('/', '%2f')}/${version}`, base)
  const stated = parse(await get(egress, address, base, 2 * 1024 * 1024), name, version)
  const tarball = await get(egress, tarballAddress(stated.dist.tarball, base), base, tarballLimits.packed)
  const hashes = stated.dist.integrity.split(/\s+/).filter((each) => each.startsWith('sha512-'))
  const actual = `sha512-${createHash('sha512').update(tarball).digest('base64')}`
  if (!hashes.includes(actual)) {
    throw new SluiceError(
      'VALIDATION_FAILED',
      `What the registry sent for ${name}@${version} does not have the SHA-512 that it states. Nothing was installed.`,
    )
  }
  return tarball
}

function parse(body: Buffer, name: string, version: string): z.output<typeof description> {
  let content: unknown
  try {
    content = JSON.parse(body.toString('utf8'))
  } catch (cause) {
    throw new SluiceError('UNAVAILABLE', 'The registry answered with something that is not JSON.', { cause })
  }
  const parsed = description.safeParse(content)
  if (!parsed.success || parsed.data.name !== name || parsed.data.version !== version) {
    throw new SluiceError('UNAVAILABLE', `The registry's answer does not describe ${name}@${version} as npm does.`)
  }
  return parsed.data
}

/** Mirrors pass on addresses of the public registry; npm asks the mirror then too. Any other host is refused. */
function tarballAddress(stated: string, base: URL): URL {
  const address = new URL(stated)
  if (address.hostname === 'registry.npmjs.org' && address.host !== base.host) {
    return new URL(`.${address.pathname}`, base)
  }
  if (address.origin !== base.origin) {
    throw new SluiceError(
      'BLOCKED',
      `The registry wants the package to be fetched from ${address.host}. Only ${base.host} may be asked.`,
    )
  }
  return address
}

async function get(egress: Egress, url: URL, base: URL, maxResponseBytes: number): Promise<Buffer> {
  const answer = await request(egress, url, base, maxResponseBytes)
  if (answer.status === 200) return answer.body
  if (answer.status === 404) {
    throw new SluiceError('NOT_FOUND', 'The registry has no such package or version. Check the name and the version.')
  }
  throw new SluiceError('UNAVAILABLE', `The registry answered ${answer.status}. Try again later.`)
}

async function request(egress: Egress, url: URL, base: URL, maxResponseBytes: number): Promise<EgressResponse> {
  try {
    return await egress.request({
      url,
      headers: { accept: 'application/json, application/octet-stream' },
      timeoutMs: 20_000,
      maxResponseBytes,
      allowedHosts: [base.port ? base.host : base.hostname],
    })
  } catch (error) {
    if (!(error instanceof EgressError)) throw error
    if (error.errorClass === 'response_too_large') {
      throw new SluiceError('TOO_LARGE', `The package has more than ${maxResponseBytes} bytes.`, { cause: error })
    }
    throw new SluiceError('UNAVAILABLE', `The registry cannot be reached: ${error.message}`, { cause: error })
  }
}
