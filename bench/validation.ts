/**
 * What validating a session against its schema costs the gateway, thread and all.
 * Run: npm run bench -- validation [FILE.json …]
 *
 * Each file is validated against a schema inferred from it that asks for every
 * property and every type, so that each value is visited. Without files, a made-up
 * session of 100 KB. The cold figure includes a new thread and compiling.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { createSchemaChecker } from '../src/sessions/schema-checker.ts'

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

const sessions = new Map<string, Json>(
  process.argv.slice(2).map((file) => [path.basename(file), JSON.parse(readFileSync(file, 'utf8')) as Json]),
)
if (sessions.size === 0) sessions.set('made-up', madeUp())

for (const [name, session] of sessions) {
  const checker = createSchemaChecker()
  const document = JSON.stringify(inferred(session))
  const data = JSON.stringify(session)
  const once = async (): Promise<number> => {
    const begun = performance.now()
    const problems = await checker.validate({
      url: `https://bench.example/${name}`,
      key: name,
      data,
      load: async () => document,
    })
    if (problems.length > 0)
      throw new Error(`${name} does not follow its own schema: ${problems[0]?.path} ${problems[0]?.message}`)
    return performance.now() - begun
  }
  const cold = await once()
  const warm: number[] = []
  const cpu = process.cpuUsage()
  for (let count = 0; count < 1000; count += 1) warm.push(await once())
  const { user, system } = process.cpuUsage(cpu)
  // Of all threads, compiling to machine code included: what a busy machine does not change.
  const cpuMs = Number(((user + system) / 1000 / warm.length).toFixed(2))
  warm.sort((a, b) => a - b)
  const at = (share: number) => Number((warm[Math.floor((warm.length - 1) * share)] ?? 0).toFixed(2))
  await checker.close()
  console.log(
    JSON.stringify({
      name,
      bytes: data.length,
      cold_ms: Number(cold.toFixed(0)),
      warm_cpu_ms: cpuMs,
      warm_ms: { least: at(0), p50: at(0.5), p99: at(0.99) },
    }),
  )
}

function inferred(value: Json): object {
  if (Array.isArray(value)) {
    const kinds = new Map(value.map((item) => [JSON.stringify(inferred(item)), inferred(item)]))
    return { type: 'array', ...(kinds.size > 0 ? { items: { anyOf: [...kinds.values()] } } : {}) }
  }
  if (typeof value !== 'object' || value === null) return value === null ? {} : { type: typeof value }
  const properties = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inferred(item)]))
  return { type: 'object', required: Object.keys(properties), properties, additionalProperties: false }
}

function madeUp(): Json {
  const answer = (index: number): Json => ({
    question: `What does answer ${index} say?`,
    responses: [{ value: `value ${index}`, metadata: { flags: ['one', 'two'] } }],
    metadata: {
      section: `Section ${index % 7}`,
      policy: [{ text: 'As the law has it. '.repeat(20), url: 'https://law.example' }],
    },
  })
  return {
    passport: { data: { 'application.type': ['example'] } },
    responses: Array.from({ length: 180 }, (_, index) => answer(index)),
  }
}
