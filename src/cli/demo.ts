/** `npm run demo`: one session travels through the running gateway to every kind of third party, told step by step. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { styleText } from 'node:util'
import { Command } from 'commander'
import { createClient } from 'graphql-ws'
import PostalMime from 'postal-mime'
import { Webhook } from 'standardwebhooks'
import WebSocket from 'ws'
import { messageOf, SluiceError } from '../errors.ts'
import { type DemoSession, recogniseSession } from './demo-session.ts'
import { type DemoFile, demoReceiverPort } from './seed.ts'

const bundledSession = path.join(import.meta.dirname, 'sessions/certificate.json')
/** How long any one step may take before the demo says that it did not happen. */
const patienceMs = 15_000

export function demoCommand(): Command {
  return new Command('demo')
    .description('send one session through the running gateway and tell what happens to it')
    .option(
      '--session <file>',
      'a JSON file: plain data, a PlanX session, an Open Digital Planning application, a travel booking or trip',
      bundledSession,
    )
    .action(async ({ session }: { session: string }) => runDemo(session))
}

async function runDemo(file: string): Promise<void> {
  const home = path.resolve(process.env.SLUICE_HOME || '.sluice')
  const demo = await readDemoFile(home)
  const session = recogniseSession(await readText(file), file)
  await requireGateway(demo)
  const receiver = await openReceiver(demo)
  const id = randomUUID()
  const live = watchSessions(demo, id)
  try {
    console.log(styleText('bold', `\nOne session, ${session.recognised}, on its way through Sluice\n`))
    const token = await step('The event source exchanges its key and secret for a short token', () => getToken(demo))
    await step('A reactive consumer opens a live query over a WebSocket; nothing is there yet', () => live.next())
    const submitted = performance.now()
    const result = await step(
      'The source submits the session',
      () => submit(demo, token, id, session),
      (one) => `opened to ${one.grants} integrations, ${one.deliveries} deliveries bound`,
    )
    const pushed = live.next().then((text) => ({ text, at: performance.now() - submitted }))
    const announced = receiver.next(id).then((hook) => ({ hook, at: performance.now() - submitted }))
    announced.catch(() => undefined)
    const { text, at } = await step('The live query pushes it', () => pushed)
    detail(`${at.toFixed(0)} ms after the submission began: ${text}`)
    const { hook, at: hookAt } = await step(
      'The webhook arrives: signed, light, without personal data',
      () => announced,
    )
    detail(`${hookAt.toFixed(0)} ms after the submission began; signature verified by the library standardwebhooks`)
    detail(hook)
    await step(
      'The back office pulls the data with its own key and secret',
      () => pull(demo, demo.consumer, id),
      describeData,
    )
    await step(
      'An outsider, whom no editor chose, asks for the same',
      () => pull(demo, demo.outsider, id),
      (found) => (found === null ? 'null: for it, the session does not exist' : 'IT WAS ANSWERED, which must not be'),
    )
    const editor = await signIn(demo)
    const run = await step(
      'The connector "email" runs in its sandbox and mails a link',
      () => waitForRun(demo, editor, id),
      ({ status, duration_ms }) => `${status} after ${duration_ms.toFixed(0)} ms in the sandbox`,
    )
    if (run.message) detail(run.message)
    detail(await describeMail(path.join(home, 'mail'), id))
    await step('Editors see every delivery, attempt and retrieval', () => history(demo, editor, id), describeHistory)
    console.log(closing(demo, result.id))
  } finally {
    live.close()
    receiver.close()
  }
}

async function readDemoFile(home: string): Promise<DemoFile> {
  const file = path.join(home, 'demo.json')
  if (!existsSync(file))
    throw new SluiceError(
      'NOT_FOUND',
      `There is no ${file}. Run "npm start" in another terminal first; it makes the demo.`,
    )
  return JSON.parse(await readFile(file, 'utf8'))
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new SluiceError('NOT_FOUND', `The session file cannot be read: ${messageOf(cause)}.`, { cause })
  }
}

async function requireGateway(demo: DemoFile): Promise<void> {
  try {
    await fetch(new URL('/healthz', demo.graphql))
  } catch (cause) {
    throw new SluiceError(
      'UNAVAILABLE',
      `No gateway answers at ${demo.graphql}. Run "npm start" in another terminal first.`,
      { cause },
    )
  }
}

/** Runs one step, printing what it is, how long it took and what came of it. */
async function step<T>(title: string, work: () => Promise<T>, outcome?: (value: T) => string): Promise<T> {
  const from = performance.now()
  const value = await Promise.race([work(), tooLate(title)])
  const ms = `${(performance.now() - from).toFixed(0)} ms`.padStart(8)
  console.log(`${styleText('green', '✓')} ${styleText('dim', ms)}  ${title}`)
  if (outcome) detail(outcome(value))
  return value
}

async function tooLate(title: string): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, patienceMs).unref())
  throw new SluiceError(
    'UNAVAILABLE',
    `This did not happen within ${patienceMs / 1000} s: ${title}. The logs of "npm start" say why.`,
  )
}

function detail(text: string): void {
  for (const line of text.split('\n'))
    console.log(`${' '.repeat(12)}${styleText('dim', line.length > 160 ? `${line.slice(0, 157)}…` : line)}`)
}

async function getToken({ token, source }: DemoFile): Promise<string> {
  const response = await fetch(token, {
    method: 'POST',
    headers: { authorization: basic(source) },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  const answer = (await response.json()) as { access_token?: string; error_description?: string }
  if (!answer.access_token) throw new SluiceError('UNAUTHENTICATED', `No token: ${answer.error_description}`)
  return `Bearer ${answer.access_token}`
}

function basic({ key, secret }: { readonly key: string; readonly secret: string }): string {
  return `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`
}

async function ask<T>(
  { graphql }: DemoFile,
  authorization: string,
  query: string,
  variables: Record<string, unknown>,
): Promise<T> {
  const response = await fetch(graphql, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(authorization ? { authorization } : {}) },
    body: JSON.stringify({ query, variables }),
  })
  const { data, errors } = (await response.json()) as { data: T; errors?: { message: string }[] }
  if (errors)
    throw new SluiceError('BAD_REQUEST', `The gateway answered: ${errors.map((error) => error.message).join('; ')}`)
  return data
}

interface Submitted {
  readonly id: string
  readonly grants: number
  readonly deliveries: number
}

async function submit(demo: DemoFile, token: string, id: string, session: DemoSession): Promise<Submitted> {
  const { recognised: _, ...content } = session
  const query = 'mutation ($object: submit_session_input!) { submit_session(object: $object) { id grants deliveries } }'
  const data = await ask<{ submit_session: Submitted }>(demo, token, query, {
    object: { ...content, id, team: 'demo' },
  })
  return data.submit_session
}

/** The demo's reactive consumer: each call of `next` waits for the next result. */
function watchSessions({ ws, consumer }: DemoFile, id: string) {
  const client = createClient({
    url: ws,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: basic(consumer) },
  })
  const query =
    'subscription ($id: uuid!) { sessions(where: { id: { _eq: $id } }) { id status submitted_at flow { slug } } }'
  const results = client.iterate({ query, variables: { id } })
  return {
    async next(): Promise<string> {
      const { value } = await results.next()
      if (value?.errors) throw new SluiceError('BAD_REQUEST', `The live query failed: ${JSON.stringify(value.errors)}`)
      return JSON.stringify(value?.data)
    },
    close: () => void client.dispose(),
  }
}

/** The demo's third party: takes webhooks on this machine and checks each signature. */
async function openReceiver({ webhook }: DemoFile) {
  const waiting = new Map<string, (body: string) => void>()
  const arrived = new Map<string, string>()
  const verifier = new Webhook(webhook.secret)
  const server = createServer(async (request, response) => {
    const body = (await buffer(request)).toString('utf8')
    try {
      const event = verifier.verify(body, request.headers as Record<string, string>) as { data: { id: string } }
      arrived.set(event.data.id, body)
      waiting.get(event.data.id)?.(body)
      response.writeHead(204).end()
    } catch (error) {
      response.writeHead(401).end(messageOf(error))
    }
  })
  server.listen(demoReceiverPort, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw new SluiceError(
      'CONFIGURATION',
      `The demo's webhook receiver needs port ${demoReceiverPort}, which is taken. Stop what uses it.`,
      { cause },
    )
  }
  return {
    next: (id: string) =>
      new Promise<string>((resolve) => {
        const body = arrived.get(id)
        if (body !== undefined) resolve(body)
        else waiting.set(id, resolve)
      }),
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function pull(demo: DemoFile, credential: DemoFile['consumer'], id: string): Promise<{ data: unknown } | null> {
  const query =
    'query ($id: uuid!) { sessions_by_pk(id: $id) { id data submitted_at expires_at flow { name team { name } } } }'
  const { sessions_by_pk } = await ask<{ sessions_by_pk: { data: unknown } | null }>(demo, basic(credential), query, {
    id,
  })
  return sessions_by_pk
}

function describeData(found: { data: unknown } | null): string {
  if (!found) return 'NOTHING WAS FOUND, which must not be'
  const text = JSON.stringify(found.data)
  return `${(Buffer.byteLength(text) / 1024).toFixed(1)} KB: ${text.slice(0, 120)}…`
}

async function signIn(demo: DemoFile): Promise<string> {
  const query =
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }'
  const { sign_in } = await ask<{ sign_in: { token: string } }>(demo, '', query, demo.editor)
  return `Bearer ${sign_in.token}`
}

interface Run {
  readonly status: string
  readonly message: string | null
  readonly duration_ms: number
}

/** Watches the connector's runs by live query until the first is there. */
async function waitForRun({ ws }: DemoFile, authorization: string, id: string): Promise<Run> {
  const client = createClient({ url: ws, webSocketImpl: WebSocket, connectionParams: { Authorization: authorization } })
  const query =
    'subscription ($id: uuid!) { connector_runs(where: { session_id: { _eq: $id } }) { status message duration_ms } }'
  try {
    for await (const { data, errors } of client.iterate<{ connector_runs: Run[] }>({ query, variables: { id } })) {
      if (errors) throw new SluiceError('BAD_REQUEST', `The live query failed: ${JSON.stringify(errors)}`)
      const run = data?.connector_runs[0]
      if (run) return run
    }
    throw new SluiceError('UNAVAILABLE', 'The live query ended before the connector ran.')
  } finally {
    await client.dispose()
  }
}

/** The embedded mail server keeps each mail as a file; with a real one there is nothing to show. */
async function describeMail(folder: string, id: string): Promise<string> {
  const names = existsSync(folder) ? (await readdir(folder)).filter((name) => name.endsWith('.eml')).sort() : []
  for (const name of names.reverse()) {
    const text = await readFile(path.join(folder, name), 'utf8')
    const mail = await PostalMime.parse(text)
    if (!mail.text?.includes(id)) continue
    return `Mail to ${mail.to?.map((to) => to.address).join(', ')}: "${mail.subject}" (${path.join(folder, name)})`
  }
  return 'The mail went to the server at SMTP_URL.'
}

interface History {
  readonly deliveries: readonly {
    readonly status: string
    readonly webhook: { readonly name: string } | null
    readonly connection: { readonly name: string } | null
    readonly attempts: readonly {
      readonly outcome: string
      readonly status_code: number | null
      readonly duration_ms: number
    }[]
  }[]
  readonly audit_entries: readonly {
    readonly operation: string
    readonly outcome: string
    readonly actor_kind: string
  }[]
}

function history(demo: DemoFile, authorization: string, id: string): Promise<History> {
  const query = `query ($id: uuid!) {
    deliveries(where: { session_id: { _eq: $id } }, order_by: { created_at: asc }) {
      status webhook { name } connection { name } attempts(order_by: { number: asc }) { outcome status_code duration_ms }
    }
    audit_entries(order_by: { at: desc }, limit: 10, where: { session_ids: { _contains: [$id] } }) { operation outcome actor_kind }
  }`
  return ask<History>(demo, authorization, query, { id })
}

function describeHistory({ deliveries, audit_entries }: History): string {
  const lines = deliveries.map(({ status, webhook, connection, attempts }) => {
    const target = webhook ? `webhook "${webhook.name}"` : `connection "${connection?.name}"`
    const tried = attempts.map(
      (one) => `${one.outcome}${one.status_code ? ` ${one.status_code}` : ''} in ${one.duration_ms.toFixed(0)} ms`,
    )
    return `${target}: ${status} (${tried.join(', ') || 'not tried yet'})`
  })
  return [
    ...lines,
    ...audit_entries.map((entry) => `audit: ${entry.actor_kind} ${entry.operation} ${entry.outcome}`),
  ].join('\n')
}

function closing({ console: page, graphql }: DemoFile, id: string): string {
  return [
    '',
    styleText(
      'bold',
      'That is what Sluice is for: the data reached exactly whom an editor chose, in each of the three ways.',
    ),
    `  The session in the console: ${page}/sessions/${id}`,
    `  Try it yourself: open ${graphql} in a browser, or follow the tour in README.md.`,
    '  Your own data: npm run demo -- --session FILE',
    '',
  ].join('\n')
}
