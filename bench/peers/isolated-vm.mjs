// Connectors in isolates of the host's own process, as isolated-vm's users run them: one isolate and context a
// connection, kept warm. Prints the figures of bench/sandbox.ts as JSON. Start it with --no-node-snapshot.
import ivm from 'isolated-vm'
import { Agent } from 'undici'
import { measure } from './sandbox-measure.mjs'

const agent = new Agent()
const request = async (method, url, body) => {
  const answer = await agent.request({ origin: new URL(url).origin, path: new URL(url).pathname, method, body })
  await answer.body.dump()
  return answer.statusCode
}
const source = `
  globalThis.plain = () => 'success'
  globalThis.calling = async (input) => (await request('POST', input.url, JSON.stringify(input.session))) === 204 ? 'success' : 'failed'
  globalThis.asking = async () => { await ask(); return 'success' }
  globalThis.request = (...all) => host.apply(undefined, all, { arguments: { copy: true }, result: { promise: true, copy: true } })
  globalThis.ask = () => nothing.apply(undefined, [], { result: { promise: true, copy: true } })`

async function open() {
  const isolate = new ivm.Isolate({ memoryLimit: 128 })
  const context = await isolate.createContext()
  await context.global.set('host', new ivm.Reference(request))
  await context.global.set('nothing', new ivm.Reference(async () => null))
  await (await isolate.compileScript(source)).run(context)
  const functions = {}
  for (const name of ['plain', 'calling', 'asking'])
    functions[name] = await context.global.get(name, { reference: true })
  return {
    run: (name, input) =>
      functions[name].apply(undefined, [input], { arguments: { copy: true }, result: { promise: true, copy: true } }),
    close: async () => isolate.dispose(),
    children: () => [],
  }
}

await measure(open)
await agent.close()
