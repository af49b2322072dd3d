/** `connector install` against a running Sluice: a gateway takes the package in, a worker bundles and inspects it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { connectorCommand } from '../../src/cli/connector.ts'
import { newConnector } from '../../src/connectors/vendor/scaffold.ts'
import { createFileStore } from '../../src/files/store.ts'
import { silentLog } from '../../src/log.ts'
import { startWorkerParts } from '../../src/worker/worker.ts'
import { buildWorld } from '../ground/world.ts'

test('a package goes to a running Sluice with the token of an admin, and is refused without', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-install-test-'))
  const world = await buildWorld()
  const { config, database, sealer } = world
  const files = createFileStore(config)
  const worker = await startWorkerParts({ config, database, sealer, files, log: silentLog, schedules: [] })
  try {
    const { email, password } = world.admin
    const { data } = await world.graphql<{ sign_in: { token: string } }>(
      'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
      { variables: { email, password } },
    )
    const root = path.join(folder, 'over-api')
    await newConnector(root)
    const lines: string[] = []
    const install = (token: string, ...more: string[]) =>
      connectorCommand(
        { SLUICE_URL: world.url, SLUICE_TOKEN: token },
        { print: (line) => lines.push(line) },
      ).parseAsync(['install', root, ...more], { from: 'user' })

    await install(data.sign_in.token, '--approve')
    expect(lines[0]).toBe('org.example.over-api@0.1.0 is approved. It can be connected.')
    const where = { implementation: 'org.example.over-api' }
    expect(await database.prisma.connector.findFirst({ where, select: { status: true, source: true } })).toEqual({
      status: 'approved',
      source: 'tarball',
    })
    await expect(install('no-token')).rejects.toThrow(/token/i)
  } finally {
    await worker.close()
    await world.close()
    await rm(folder, { recursive: true })
  }
})
