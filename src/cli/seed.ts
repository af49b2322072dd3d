/**
 * The demo: a team with two flows, three integrations and their credentials,
 * written into an empty embedded installation, and `.sluice/demo.json` for
 * scripts. Credentials are made for this installation alone; a start that finds
 * them does nothing.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createCredential } from '../access/credentials.ts'
import { createPerson } from '../access/people.ts'
import type { Sealer } from '../access/seal.ts'
import type { Config } from '../config.ts'
import { connect } from '../connectors/connections.ts'
import { installConnector, reviewConnector } from '../connectors/registry.ts'
import type { Database } from '../database/database.ts'
import type { Log } from '../log.ts'
import { parsePattern } from '../tables/event-shape.ts'
import { createWebhook } from '../webhooks/webhooks.ts'

/** Where `npm run demo` listens for the demo's webhook, on this machine only. */
export const demoReceiverPort = 4010

/** What `demo.json` holds (mode 0600). */
export interface DemoFile {
  /** The page to look at; `editor` and `admin` below sign in there. */
  readonly console: string
  readonly graphql: string
  readonly ws: string
  /** The REST face: its list of sessions is at `sessions` below. */
  readonly rest: string
  readonly openapi: string
  /** The page that shows it. */
  readonly docs: string
  readonly token: string
  readonly admin: { readonly email: string; readonly password: string }
  readonly editor: { readonly email: string; readonly password: string }
  readonly source: { readonly key: string; readonly secret: string }
  /** The integration "Back office": a destination of both flows. */
  readonly consumer: { readonly key: string; readonly secret: string }
  /** The integration "Outsider", which no editor chose. */
  readonly outsider: { readonly key: string; readonly secret: string }
  readonly webhook: { readonly url: string; readonly secret: string }
}

export interface SeedOptions {
  readonly database: Database
  readonly sealer: Sealer
  readonly config: Config
  /** The folder `.sluice`. */
  readonly home: string
  readonly log: Log
}

/** Makes the demo where there is none yet. Addresses in `demo.json` follow the configuration at every start. */
export async function seedDemo(options: SeedOptions): Promise<void> {
  const { database, config, home } = options
  const file = path.join(home, 'demo.json')
  const team = await database.prisma.team.findUnique({ where: { slug: 'demo' } })
  const known = team && existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as DemoFile) : null
  if (team && !known) {
    if (await database.prisma.session.count({ where: { team_id: team.id } })) {
      options.log.warn('the demo team is here but demo.json is gone; "npm run reset" starts over with new credentials')
      return
    }
    // An earlier start was stopped while it made the demo.
    await removeDemo(options)
  }
  const made = known ?? (await makeDemo(options))
  const base = config.PUBLIC_URL
  const demo: DemoFile = {
    ...made,
    console: `${base}/console`,
    graphql: `${base}/graphql`,
    ws: `${base.replace(/^http/, 'ws')}/graphql`,
    rest: `${base}/v1`,
    openapi: `${base}/openapi.yaml`,
    docs: `${base}/docs`,
    token: `${base}/oauth/token`,
  }
  await writeFile(`${file}.new`, `${JSON.stringify(demo, null, 2)}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
}

type Made = Omit<DemoFile, 'console' | 'graphql' | 'ws' | 'rest' | 'openapi' | 'docs' | 'token'>

async function makeDemo({ database, sealer, config }: SeedOptions): Promise<Made> {
  const { prisma } = database
  const environment = config.SLUICE_ENVIRONMENT
  const team = await prisma.team.create({ data: { slug: 'demo', name: 'Demo council and travel agency' } })
  const flows = await prisma.flow.createManyAndReturn({
    data: [
      { team_id: team.id, slug: 'apply-for-a-certificate', name: 'Apply for a certificate' },
      { team_id: team.id, slug: 'book-a-trip', name: 'Book a trip' },
    ],
  })
  const integration = (slug: string, name: string) =>
    prisma.integration.create({ data: { team_id: team.id, slug, name } })
  const backOffice = await integration('back-office', 'Back office')
  const mailRoom = await integration('mail-room', 'Mail room')
  const outsider = await integration('outsider', 'Outsider')
  // An editor's explicit choice: the outsider is not among them.
  await prisma.destination.createMany({
    data: flows.flatMap(({ id }) =>
      [backOffice, mailRoom].map((chosen) => ({ flow_id: id, integration_id: chosen.id })),
    ),
  })

  const consumerOf = ({ id, name }: { id: string; name: string }) =>
    createCredential(database, { role: 'consumer', name, environment, teamId: team.id, integrationId: id })
  const [consumer, stranger, source] = await Promise.all([
    consumerOf(backOffice),
    consumerOf(outsider),
    createCredential(database, {
      role: 'source',
      name: sourceName,
      environment,
      teamId: null,
      integrationId: null,
    }),
  ])
  const admin = { email: adminEmail, password: randomBytes(12).toString('base64url') }
  const editor = { email: editorEmail, password: randomBytes(12).toString('base64url') }
  await createPerson(database, { ...admin, name: 'Admin', isAdmin: true })
  await createPerson(database, { ...editor, name: 'Editor', memberships: [{ teamId: team.id, role: 'editor' }] })

  const { webhook, secret } = await createWebhook(
    { database, sealer, rules: { allow: [...config.EGRESS_ALLOW, '127.0.0.0/8'] }, validatePattern: parsePattern },
    {
      integration_id: backOffice.id,
      name: 'Back office',
      url: `http://127.0.0.1:${demoReceiverPort}/sluice`,
      pattern: { team: { _eq: 'demo' } },
      config: { platformKey: 'demo' },
    },
  )
  const connector = await installConnector({ database }, path.join(import.meta.dirname, '../../connectors/email'))
  await reviewConnector({ database }, connector.id, 'approved')
  await connect(
    { database, sealer },
    {
      integration_id: mailRoom.id,
      connector: connector.id,
      name: 'Tell the mail room',
      settings: { recipient: 'mail-room@example.org' },
      pattern: {},
      config: {},
    },
  )
  const pair = ({ key, secret: shown }: { key: string; secret: string }) => ({ key, secret: shown })
  return {
    admin,
    editor,
    source: pair(source),
    consumer: pair(consumer),
    outsider: pair(stranger),
    webhook: { url: webhook.url, secret },
  }
}

const adminEmail = 'admin@sluice.localhost'
const editorEmail = 'editor@sluice.localhost'

/** Everything `makeDemo` makes, however far it came; the connector may stay. */
async function removeDemo({ database: { prisma } }: SeedOptions): Promise<void> {
  await prisma.team.deleteMany({ where: { slug: 'demo' } })
  await prisma.user.deleteMany({ where: { email: { in: [adminEmail, editorEmail] } } })
  await prisma.apiCredential.deleteMany({ where: { name: sourceName } })
}

const sourceName = 'Demo event source'
