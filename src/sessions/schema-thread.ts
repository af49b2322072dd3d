/**
 * The thread that compiles payload schemas and validates data. Schemas come from
 * editors and data from sources, and either can be made to take forever, so this
 * runs where it stalls nobody and can be ended: `schema-checker.ts` keeps the clock.
 *
 * Patterns run on RE2's automata, in time linear in the text; what RE2 cannot do
 * (look-around, back-references) is refused when the schema is stored. Nothing is
 * fetched: a document that a `$ref` names is asked of the main thread.
 */
import { parentPort } from 'node:worker_threads'
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { RE2JS } from 're2js'
import { localDateTimeAdvice, localDateTimeDescription } from '../travel/local-time.ts'

/** Why data does not follow its schema. */
export interface Problem {
  /** JSON Pointer into `data` (RFC 6901); empty for the whole. */
  readonly path: string
  readonly message: string
  /** The schema keyword that was not met. */
  readonly keyword: string
}

export type ThreadRequest =
  | { readonly kind: 'check'; readonly job: number; readonly url: string; readonly document: string }
  | {
      readonly kind: 'validate'
      readonly job: number
      readonly url: string
      /** Equal keys, equal schema with all that it refers to. */
      readonly key: string
      /** JSON text. */
      readonly data: string
    }
  | { readonly kind: 'document'; readonly job: number; readonly url: string; readonly document: string | null }

export type ThreadAnswer =
  | { readonly kind: 'need'; readonly job: number; readonly url: string }
  /** Compiled; what is left is bounded by the data. */
  | { readonly kind: 'validating'; readonly job: number }
  /** The first problem; all of them may follow. */
  | { readonly kind: 'first'; readonly job: number; readonly problems: readonly Problem[] }
  | { readonly kind: 'validated'; readonly job: number; readonly problems: readonly Problem[] }
  | {
      readonly kind: 'checked'
      readonly job: number
      /** Null when the schema can be used. */
      readonly problem: string | null
      /** Documents that it refers to and that are not there. */
      readonly missing: readonly string[]
    }
  | { readonly kind: 'unusable'; readonly job: number; readonly message: string }

/** A schema with its references takes some hundred kilobytes to some megabytes when compiled. */
const mostCompiled = 32
const mostProblems = 50
const longestMessage = 300
const deepest = 200

class Unusable extends Error {}

/** A document that is not stored, while a schema is only checked. */
class Missing extends Error {}

interface Compiled {
  readonly first: ValidateFunction
  /** Reports everything; compiled when first needed. */
  all(): Promise<ValidateFunction>
}

const compiled = new Map<string, Compiled>()
const waiting = new Map<string, (document: string | null) => void>()

const port = parentPort
if (!port) throw new Error('schema-thread.ts runs in a worker thread.')
const answer = (message: ThreadAnswer) => port.postMessage(message)

port.on('message', (request: ThreadRequest) => {
  if (request.kind === 'document') {
    waiting.get(`${request.job} ${request.url}`)?.(request.document)
    return
  }
  const work = request.kind === 'check' ? check(request) : validate(request)
  work.catch((error: unknown) => {
    if (!(error instanceof Unusable)) throw error
    answer({ kind: 'unusable', job: request.job, message: error.message })
  })
})

async function check({ job, url, document }: ThreadRequest & { kind: 'check' }): Promise<void> {
  const missing: string[] = []
  let problem: string | null = null
  try {
    await compile(job, url, document, false, missing)
  } catch (error) {
    if (!(error instanceof Unusable)) throw error
    problem = error.message
  }
  answer({ kind: 'checked', job, problem, missing })
}

async function validate({ job, url, key, data }: ThreadRequest & { kind: 'validate' }): Promise<void> {
  const known = compiled.get(key)
  const schema = known ?? (await load(job, url))
  compiled.delete(key)
  compiled.set(key, schema)
  for (const oldest of compiled.keys()) if (compiled.size > mostCompiled) compiled.delete(oldest)

  answer({ kind: 'validating', job })
  const value: unknown = JSON.parse(data)
  const first = run(schema.first, value)
  if (first.length > 0) {
    answer({ kind: 'first', job, problems: first })
    const all = await schema.all()
    answer({ kind: 'validated', job, problems: run(all, value) })
  } else {
    answer({ kind: 'validated', job, problems: [] })
  }
}

async function load(job: number, url: string): Promise<Compiled> {
  const document = await need(job, url)
  if (document === null) throw new Unusable(`The schema ${url} is not stored.`)
  const first = await compile(job, url, document, false)
  let all: Promise<ValidateFunction> | undefined
  return {
    first,
    all() {
      all ??= compile(job, url, document, true)
      return all
    },
  }
}

function need(job: number, url: string): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>()
  const name = `${job} ${url}`
  waiting.set(name, (document) => {
    waiting.delete(name)
    resolve(document)
  })
  answer({ kind: 'need', job, url })
  return promise
}

const drafts = new Map([
  ['https://json-schema.org/draft/2020-12/schema', Ajv2020],
  ['http://json-schema.org/draft-07/schema', Ajv],
])

/** With `missing`, references to what is not there are collected there instead of failing. */
async function compile(
  job: number,
  url: string,
  text: string,
  allErrors: boolean,
  missing?: string[],
): Promise<ValidateFunction> {
  const schema = parsed(url, text)
  const declared = String(schema.$schema ?? 'https://json-schema.org/draft/2020-12/schema').replace(/#$/, '')
  const Draft = drafts.get(declared)
  if (!Draft) {
    throw new Unusable(
      `$schema is ${JSON.stringify(declared)}. Use JSON Schema 2020-12 or draft-07: ${[...drafts.keys()].join(' or ')}.`,
    )
  }
  const ajv = new Draft({
    allErrors,
    // The report says what a pattern is for, where the schema does.
    verbose: allErrors,
    strict: false,
    // A property of Object.prototype is no property of the data.
    ownProperties: true,
    logger: false,
    validateSchema: false,
    addUsedSchema: false,
    // Larger ones stay functions of their own, so that a schema cannot multiply itself.
    inlineRefs: 10,
    code: { regExp: Object.assign(linearPattern, { code: 'linearPattern' }) },
    async loadSchema(uri) {
      if (uri === url) throw new Unusable('A $ref points into the schema itself, at something that is not there.')
      const found = await need(job, uri)
      if (found !== null) return asStoredUnder(uri, parsed(uri, found))
      if (!missing) throw new Unusable(`The schema refers to ${uri}, which is not stored.`)
      if (!missing.includes(uri)) missing.push(uri)
      throw new Missing(uri)
    },
  })
  formats.default(ajv)
  if (ajv.validateSchema(schema) !== true) {
    const [error] = ajv.errors ?? []
    throw new Unusable(
      `It is no valid JSON Schema: ${error?.instancePath || 'the whole'} ${error ? messageOf(error) : 'cannot be read'}.`,
    )
  }
  try {
    return await ajv.compileAsync(asStoredUnder(url, schema))
  } catch (error) {
    if (error instanceof Missing && missing) {
      return compile(job, url, withoutReferences(url, text, missing), allErrors, missing)
    }
    if (error instanceof Unusable) throw error
    const reason = error instanceof Error ? error.message : String(error)
    const unresolved = /(?:is loaded but|can't resolve reference) (\S+)/.exec(reason)?.[1]
    throw new Unusable(
      unresolved
        ? `It refers to ${unresolved}, which is not in that document.`
        : `It cannot be compiled: ${reason.slice(0, 500)}.`,
    )
  }
}

/** What is left to check of a schema without what is stored later. */
function withoutReferences(url: string, text: string, missing: readonly string[]): string {
  return JSON.stringify(JSON.parse(text), (_key, value) => {
    if (typeof value?.$ref !== 'string') return value
    const target = URL.parse(value.$ref, url)
    if (target) target.hash = ''
    return target && missing.includes(target.href) ? { ...value, $ref: undefined } : value
  })
}

/** Relative references start from the URL under which a document is stored, whatever it calls itself. */
const asStoredUnder = (url: string, schema: Readonly<Record<string, unknown>>) => ({ ...schema, $id: url })

function parsed(url: string, text: string): Record<string, unknown> {
  const schema: unknown = JSON.parse(text)
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    throw new Unusable(`${url} is no JSON object.`)
  }
  if (isDeeperThan(schema, deepest)) throw new Unusable(`It nests more than ${deepest} levels.`)
  return schema as Record<string, unknown>
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  return Object.values(value).some((item) => isDeeperThan(item, levels - 1))
}

/** JSON Schema's dialect is ECMAScript's; RE2JS translates it. */
function linearPattern(source: string): { test(text: string): boolean; toString(): string } {
  try {
    const pattern = RE2JS.compile(RE2JS.translateRegExp(source))
    // ajv keeps patterns under their text: two with equal texts are one.
    return { test: (text) => pattern.test(text), toString: () => `/${source}/u` }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Unusable(
      `The pattern ${JSON.stringify(source.slice(0, 100))} cannot be used: ${reason.slice(0, 200)}. Patterns may have no look-around and no back-references.`,
    )
  }
}

function run(validator: ValidateFunction, value: unknown): readonly Problem[] {
  try {
    if (validator(value)) return []
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return [{ path: '', keyword: 'depth', message: 'nests too deeply to be validated' }]
  }
  const errors = validator.errors ?? []
  const problems = errors.slice(0, mostProblems).map((error) => ({
    path: error.instancePath.slice(0, longestMessage),
    message: messageOf(error).slice(0, longestMessage),
    keyword: error.keyword,
  }))
  const more = errors.length - problems.length
  return more > 0 ? [...problems, { path: '', keyword: 'more', message: `and ${more} more problems` }] : problems
}

function messageOf({ keyword, params, parentSchema, data, message = 'is wrong' }: ErrorObject): string {
  switch (keyword) {
    case 'pattern': {
      const description = parentSchema?.description
      if (typeof description !== 'string') return message
      return description === localDateTimeDescription
        ? localDateTimeAdvice(String(data))
        : `is not what the schema describes: ${description}`
    }
    case 'additionalProperties':
      return `must not have the property ${JSON.stringify(params.additionalProperty)}`
    case 'unevaluatedProperties':
      return `must not have the property ${JSON.stringify(params.unevaluatedProperty)}`
    case 'enum':
      return `must be one of ${JSON.stringify(params.allowedValues).slice(1, -1)}`
    case 'const':
      return `must be ${JSON.stringify(params.allowedValue)}`
    default:
      return message
  }
}
