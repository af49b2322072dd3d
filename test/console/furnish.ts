/** Puts into team camden what a team has after some days, so that no page is empty. */

import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { connect } from '../../src/connectors/connections.ts'
import { installConnector, reviewConnector } from '../../src/connectors/registry.ts'
import { until } from '../../src/delivery/deliveries.fixture.ts'
import { parsePattern } from '../../src/tables/event-shape.ts'
import { createWebhook } from '../../src/webhooks/webhooks.ts'
import { aSession } from '../ground/world.ts'
import type { ConsoleGround } from './ground.ts'

/** Ids, for the addresses of pages. */
export interface Furniture {
  readonly flow: string
  readonly integration: string
  /** The youngest of `sessions`. */
  readonly session: string
  readonly sessions: readonly string[]
  /** Took every session. */
  readonly webhook: string
  /** Its endpoint answers 500. */
  readonly failingWebhook: string
  /** Its pattern matched none. */
  readonly silentWebhook: string
  readonly connector: string
  /** Mails each session to the planning office. */
  readonly connection: string
}

/** The path at the ground's receiver that answers 500; it needs `answerAsFurnished` as its handler. */
export const failingPath = '/fails'

/** Give it to `openConsole({ receiver })`. */
export function answerAsFurnished(
  { path: at }: { readonly path: string },
  response: import('node:http').ServerResponse,
): void {
  if (at.startsWith(failingPath)) response.writeHead(500, { 'content-type': 'text/plain' }).end('The database is full.')
  else response.writeHead(204).end()
}

export async function furnish({ world, receiver }: ConsoleGround, sessionCount = 3): Promise<Furniture> {
  const { database, sealer, camden } = world
  const parts = { database, sealer, rules: { allow: world.config.EGRESS_ALLOW }, validatePattern: parsePattern }
  const webhookOf = async (name: string, at: string, pattern = {}) =>
    (await createWebhook(parts, { integration_id: camden.granted.id, name, url: `${receiver.url}${at}`, pattern }))
      .webhook.id
  const webhook = await webhookOf('Back office', '/office')
  const failingWebhook = await webhookOf('Statistics', failingPath)
  const silentWebhook = await webhookOf('Bookings', '/bookings', { kind: { _eq: 'booking' } })

  const installed = await installConnector({ database }, path.join(import.meta.dirname, '../../connectors/email'))
  await reviewConnector({ database }, installed.id, 'approved')
  const connection = await connect(
    { database, sealer },
    {
      integration_id: camden.granted.id,
      connector: installed.id,
      name: 'Planning office',
      settings: { recipient: 'planning@camden.test' },
      pattern: {},
      config: {},
    },
  )

  const sessions: string[] = []
  for (let n = 0; n < sessionCount; n += 1) {
    sessions.unshift((await world.submit(aSession(camden, { id: randomUUID(), payment_id: `payment-${n + 1}` }))).id)
  }
  // Each has come to rest or been tried: pages then show the same at every run.
  await until(
    async () =>
      (
        await database.pool.query(
          `select 1 from deliveries where status in ('pending', 'leased') or (status = 'waiting' and attempt_count = 0)`,
        )
      ).rows,
    (unfinished) => unfinished.length === 0,
  )
  return {
    flow: camden.flow.id,
    integration: camden.granted.id,
    session: sessions[0] as string,
    sessions,
    webhook,
    failingWebhook,
    silentWebhook,
    connector: installed.id,
    connection: connection.id,
  }
}
