/** What the tests of settling stand on: a flow with a destination that hears everything, and modifiers that are functions of the test. */
import { randomUUID } from 'node:crypto'
import { testDatabase } from '../../test/ground/database.ts'
import type { Principal } from '../access/principal.ts'
import { silentLog } from '../log.ts'
import { createSchemaChecker } from './schema-checker.ts'
import {
  type ModifierAnswer,
  type ModifierQuestion,
  type Settling,
  type SettlingOptions,
  startSettling,
} from './settling.ts'
import { submitSession } from './submit.ts'
import { updateSession } from './update.ts'

type Data = Record<string, unknown>
/** Undefined for no change; what it throws is a failed run. */
export type TestModifier = (data: Data, question: ModifierQuestion) => unknown

export interface EventRow {
  readonly type: string
  readonly revision: number
  readonly deliveries: number
}

const source: Principal = {
  kind: 'credential',
  id: 'source',
  role: 'admin',
  variables: {},
  teamId: null,
  integrationId: null,
  expiresAt: null,
}

export async function settlingGround() {
  const ground = await testDatabase({ poolSize: 20 })
  const { database } = ground
  const { pool, prisma } = database
  const checker = createSchemaChecker()
  const engines: Settling[] = []
  const functions = new Map<string, TestModifier>()
  const team = await prisma.team.create({ data: { slug: 'camden', name: 'Camden' } })
  const flow = await prisma.flow.create({ data: { team_id: team.id, slug: 'apply', name: 'Apply' } })
  const integration = await prisma.integration.create({ data: { team_id: team.id, slug: 'office', name: 'Office' } })
  await prisma.destination.create({ data: { flow_id: flow.id, integration_id: integration.id } })
  const everything = ['session.submitted', 'session.updated', 'session.purged']
  const ids = { integration_id: integration.id, team_id: team.id }
  await prisma.webhook.create({ data: { ...ids, name: 'hook', url: 'http://127.0.0.1:1', events: everything } })
  const context = { database, checker, principal: source, retentionDays: 30 }

  return {
    ...{ database, pool, prisma, team, flow, integration, functions },

    /** A connection of a connector of its own. */
    async modifier(change: TestModifier, more: object = {}, manifest: object = {}): Promise<string> {
      const implementation = `org.example.m${randomUUID()}`
      const connector = await prisma.connector.create({
        data: {
          implementation,
          version: '1.0.0',
          name: 'Modifier',
          author: 'Example',
          description: 'Modifies.',
          status: 'approved',
          manifest: { implementation, kinds: ['modifier'], settings: [], ...manifest },
          kinds: ['modifier'],
          bundle: '',
          bundle_sha256: '',
        },
      })
      const events = ['session.submitted', 'session.updated']
      const { id } = await prisma.connection.create({
        data: { ...ids, connector_id: connector.id, name: 'Modifier', events, ...more },
      })
      functions.set(id, change)
      return id
    },

    engine(options: Partial<SettlingOptions> = {}): Settling {
      const engine = startSettling({
        pool,
        checker,
        log: silentLog,
        retentionAfterRetrievalDays: 5,
        pollMs: 20,
        retryMs: [5, 5],
        modifiers: {
          modify: async (question) => answerOf(question, functions.get(question.modifier.id)),
          combine: (first, second) => ({ ...(first as object), ...(second as object) }),
          apply: (extension, change) => ({ ...(extension as object), ...(change as object) }),
        },
        ...options,
      })
      engines.push(engine)
      return engine
    },

    submit: (data: Data, more: object = {}) =>
      submitSession({ id: randomUUID(), team: 'camden', flow: 'apply', data, ...more }, context),
    update: (id: string, data: Data, principal = source) => updateSession({ id, data }, { ...context, principal }),
    /** @param extension argument of `merge_extension_data` */
    change: (change: object, extension?: object) => updateSession(change, { ...context, extension }),

    async session(id: string) {
      const { rows } = await pool.query<{ status: string; revision: number; data: Data; settling: boolean }>(
        `select status, revision, data, exists (select from session_settlings x where x.session_id = s.id) as settling
           from sessions s where id = $1`,
        [id],
      )
      return rows[0]
    },

    async events(id: string): Promise<readonly EventRow[]> {
      const { rows } = await pool.query<EventRow>(
        `select e.type, e.revision, (select count(*)::int from deliveries d where d.event_id = e.id) as deliveries
           from session_events e where e.session_id = $1 order by e.position`,
        [id],
      )
      return rows
    },

    async revisions(id: string) {
      const { rows } = await pool.query<{ revision: number; data: Data; author_kind: string; author_id: string }>(
        `select revision, data, author_kind, author_id from session_revisions where session_id = $1
         union all select revision, data, author_kind, author_id from sessions where id = $1 order by revision`,
        [id],
      )
      return rows
    },

    runs: (connection_id: string) =>
      prisma.connectorRun.findMany({
        where: { connection_id },
        orderBy: [{ started_at: 'asc' }, { revision: 'asc' }, { attempt: 'asc' }],
      }),

    async stop(): Promise<void> {
      await Promise.all(engines.splice(0).map((engine) => engine.close()))
    },

    /** For the next test: no modifier, no engine. */
    async reset(): Promise<void> {
      await this.stop()
      functions.clear()
      await pool.query('delete from connections')
      await pool.query('delete from session_settlings')
      await pool.query('update flows set schema_url = null')
    },

    async close(): Promise<void> {
      await this.stop()
      await checker.close()
      await ground.close()
    },
  }
}

async function answerOf(question: ModifierQuestion, change: TestModifier | undefined): Promise<ModifierAnswer> {
  const { modifier, revision, attempt } = question
  const run = {
    connection_id: modifier.id,
    attempt,
    log: [],
    calls: [],
    connector: modifier.connector,
    revision,
    started_at: new Date().toISOString(),
    duration_ms: 1,
  }
  try {
    const data = await change?.(structuredClone(question.data) as Data, question)
    return { data, again: false, run: { ...run, status: 'succeeded', message: null } }
  } catch (error) {
    return { again: true, run: { ...run, status: 'failed', message: (error as Error).message } }
  }
}
