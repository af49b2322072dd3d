import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Receiver, startReceiver } from '../../test/ground/receiver.ts'
import { type ConnectorGround, connectorGround, unhurried } from './ground.fixture.ts'

let ground: ConnectorGround
let receiver: Receiver
beforeAll(async () => {
  ground = await connectorGround()
  receiver = await startReceiver()
})
afterAll(async () => {
  await ground.close()
  await receiver.close()
})

/** What each function tells the receiver: its name, as the path. */
const code = (url: string, name: string) => `const tell = (path, request) => request.post('${url}/${name}/' + path)
export default {
  consume: async ({ request }) => {
    await tell('consume', request)
    return 'success'
  },
  onStarting: (environment, { request }) => tell('start-' + environment['funnel.environment.isproduction'], request),
  onFunnelStopping: (environment, { request }) => tell('stop', request),
}`

const told = (name: string) =>
  receiver.requests.map(({ path }) => path).flatMap((path) => path.split(`/${name}/`)[1] ?? [])

async function telling(name: string): Promise<string> {
  const permissions = [{ socket: new URL(receiver.url).host }]
  return ground.connected(await ground.package(code(receiver.url, name), { permissions }))
}

const generous = { timeout: 30_000 }

test('a connection starts once in each worker, before its first run, and stops with the worker', async () => {
  const id = await telling('workers')
  const lifecycles = [ground.lifecycle(), ground.lifecycle()]
  const carriers = lifecycles.map((lifecycle) => ground.carrier(undefined, { lifecycle }))
  const deliveries = await Promise.all(Array.from({ length: 6 }, () => ground.delivery(id)))
  await Promise.all(deliveries.map((each, at) => carriers[at % 2]?.deliver(each, unhurried)))
  const paths = told('workers')
  expect(paths.filter((path) => path === 'start-false')).toHaveLength(2)
  expect(paths[0]).toBe('start-false')
  expect(paths.filter((path) => path === 'consume')).toHaveLength(6)
  await Promise.all(lifecycles.map((lifecycle) => lifecycle.close()))
  expect(told('workers').slice(-2)).toEqual(['stop', 'stop'])
})

test('one that is disabled is stopped, and starts again with its next run', async () => {
  const id = await telling('disabled')
  const lifecycle = ground.lifecycle({ lookMs: 50 })
  const carrier = ground.carrier(undefined, { lifecycle })
  await carrier.deliver(await ground.delivery(id), unhurried)
  const enable = (enabled: boolean) => ground.database.prisma.connection.update({ where: { id }, data: { enabled } })
  await enable(false)
  await vi.waitFor(() => expect(told('disabled')).toEqual(['start-false', 'consume', 'stop']), generous)
  await enable(true)
  await carrier.deliver(await ground.delivery(id), unhurried)
  expect(told('disabled')).toEqual(['start-false', 'consume', 'stop', 'start-false', 'consume'])
  await lifecycle.close()
})

test('what it throws, or takes too long for, is listed as a run, and keeps no run from running', async () => {
  const failing = `export default {
    consume: () => 'success',
    onFunnelStarting: () => { throw new Error('The cache is cold.') },
    onStopping: () => new Promise(() => undefined),
  }`
  const id = await ground.connected(await ground.package(failing))
  const lifecycle = ground.lifecycle({ callMs: 1500 })
  const delivery = await ground.delivery(id)
  expect(await ground.carrier(undefined, { lifecycle }).deliver(delivery, unhurried)).toMatchObject({
    outcome: 'succeeded',
  })
  await lifecycle.close()
  const runs = await ground.database.prisma.connectorRun.findMany({
    where: { connection_id: id, status: 'failed' },
    orderBy: { id: 'asc' },
    select: { method: true, message: true, delivery_id: true },
  })
  expect(runs).toEqual([
    { method: 'onFunnelStarting', message: 'The cache is cold.', delivery_id: null },
    { method: 'onStopping', message: 'The connector did not finish within 1.5 s.', delivery_id: null },
  ])
})

test('a connector without such functions is not called', async () => {
  const id = await ground.connected(await ground.package(`export default () => 'success'`))
  const lifecycle = ground.lifecycle()
  const delivery = await ground.delivery(id)
  await ground.carrier(undefined, { lifecycle }).deliver(delivery, unhurried)
  await lifecycle.close()
  expect(await ground.database.prisma.connectorRun.count({ where: { connection_id: id } })).toBe(1)
})
