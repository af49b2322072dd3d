/** `openapi.yaml` as a judge: what was sent and what came back, held against it. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { parse } from 'yaml'

export const contractFile = path.join(import.meta.dirname, '../../openapi.yaml')

// biome-ignore lint/suspicious/noExplicitAny: a document of any shape, read by what it must have.
type Json = any

export interface Operation {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly definition: Json
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: checked by the contract.
  readonly json: any
}

export interface Ask {
  /** For `{name}` in the path. */
  readonly path?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly authorization?: string | undefined
  /** An object is sent as JSON. */
  readonly body?: BodyInit | Readonly<Record<string, unknown>>
}

export interface Contract {
  readonly operations: readonly Operation[]
  /** `operationId status` of every answer that was judged. */
  readonly seen: ReadonlySet<string>
  /** Sends a request of the operation and judges the answer. @throws Error with all that is wrong. */
  ask(url: string, operationId: string, ask?: Ask): Promise<Answer>
  /** Judges the body and headers of a webhook. @throws Error */
  judgeWebhook(name: string, body: unknown, headers: Readonly<Record<string, unknown>>): void
  /** Names of the webhooks section. */
  readonly webhooks: readonly string[]
  /** Every example of a body: where it stands, whether it fits. */
  readonly examples: readonly { readonly at: string; readonly problems: string | null }[]
}

export function readContract(): Contract {
  const document: Json = parse(readFileSync(contractFile, 'utf8'))
  const judge = createJudge(document)
  const operations = operationsOf(document)
  const seen = new Set<string>()

  const judgeResponse = ({ id, definition, path: at, method }: Operation, answer: Answer): void => {
    const { status, headers, text, json } = answer
    const declared =
      definition.responses[String(status)] ?? definition.responses[`${Math.floor(status / 100)}XX`] ?? null
    if (!declared) throw new Error(`${id}: ${status} is not declared. It said: ${text.slice(0, 500)}`)
    const response = resolved(document, declared)
    const problems: string[] = []
    for (const [name, given] of Object.entries<Json>(response.headers ?? {})) {
      const header = resolved(document, given)
      const value = headers.get(name)
      if (value === null) {
        if (header.required) problems.push(`the header ${name} is missing`)
        continue
      }
      const typed = resolved(document, header.schema).type === 'integer' ? Number(value) : value
      const wrong = judge(header.schema, typed)
      if (wrong) problems.push(`the header ${name} is ${JSON.stringify(value)}: ${wrong}`)
    }
    const type = headers.get('content-type')?.split(';')[0] ?? ''
    const content = response.content as Json
    if (!content) {
      if (text !== '') problems.push(`there is a body: ${text.slice(0, 200)}`)
    } else if (!content[type]) {
      problems.push(`the media type ${type} is not declared; there are ${Object.keys(content).join(', ')}`)
    } else if (/json$/.test(type)) {
      const wrong = judge(content[type].schema, json)
      if (wrong) problems.push(`the body does not fit: ${wrong}\n${text.slice(0, 800)}`)
    }
    if (problems.length > 0) throw new Error(`${method} ${at} answered ${status}, but ${problems.join('; ')}`)
    seen.add(`${id} ${status}`)
  }

  return {
    operations,
    seen,
    async ask(url, operationId, { path: params = {}, query = {}, headers = {}, authorization, body } = {}) {
      const operation = operations.find(({ id }) => id === operationId)
      if (!operation) throw new Error(`There is no operation ${operationId}.`)
      const at = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
      const search = new URLSearchParams(query)
      const isObject = typeof body === 'object' && body !== null && Object.getPrototypeOf(body) === Object.prototype
      const response = await fetch(`${url}${at}${search.size > 0 ? `?${search}` : ''}`, {
        method: operation.method.toUpperCase(),
        redirect: 'manual',
        headers: {
          ...(authorization === undefined ? {} : { authorization }),
          ...(isObject ? { 'content-type': 'application/json' } : {}),
          ...headers,
        },
        ...(body === undefined ? {} : { body: isObject ? JSON.stringify(body) : (body as BodyInit) }),
      })
      const text = await response.text()
      const isJson = /json$/.test(response.headers.get('content-type')?.split(';')[0] ?? '')
      const json = isJson && text ? JSON.parse(text) : undefined
      const answer = { status: response.status, headers: response.headers, text, json }
      judgeResponse(operation, answer)
      return answer
    },
    webhooks: Object.keys(document.webhooks),
    judgeWebhook(name, body, headers) {
      const operation = document.webhooks[name]?.post
      if (!operation) throw new Error(`There is no webhook ${name}.`)
      const wrong = judge(operation.requestBody.content['application/json'].schema, body)
      if (wrong) throw new Error(`The body of ${name} does not fit: ${wrong}\n${JSON.stringify(body)}`)
      for (const given of operation.parameters) {
        const { name: header, schema } = resolved(document, given)
        const bad = judge(schema, headers[header])
        if (bad) throw new Error(`${name}: the header ${header} is ${String(headers[header])}: ${bad}`)
      }
    },
    get examples() {
      return examplesOf(document, judge)
    },
  }
}

type Judge = (schema: Json, value: unknown) => string | null

/**
 * Answers gain members without breaking anybody, so the contract leaves objects open; what the gateway says today must
 * be in it nevertheless, so here they are closed.
 */
function createJudge(document: Json): Judge {
  const closed = structuredClone(document)
  const extended = new Set<string>()
  walk(closed, (node) => {
    for (const part of node.allOf ?? []) if (part.$ref) extended.add(part.$ref)
  })
  walk(closed, (node, at, within) => {
    const isOpen = node.additionalProperties === undefined && node.unevaluatedProperties === undefined
    if (within || !isOpen || extended.has(at)) return
    const describesObject = node.properties !== undefined && node.type !== undefined
    const merges = (node.allOf ?? []).some((part: Json) => part.properties)
    if (describesObject || merges) node.unevaluatedProperties = false
  })
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  formats.default(ajv)
  ajv.addSchema({ $id: 'https://contract.test/', ...closed })
  const known = new Map<string, ValidateFunction>()
  // Found again by where it stands: schemas are asked for as parts of `document`.
  const places = new Map<Json, string>()
  const place = (node: Json, at: string): void => {
    if (typeof node !== 'object' || node === null) return
    if (!places.has(node)) places.set(node, at)
    for (const [key, value] of Object.entries(node)) {
      place(value, `${at}/${encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))}`)
    }
  }
  place(document, 'https://contract.test/#')
  return (schema, value) => {
    const at = places.get(schema) as string
    const validate = known.get(at) ?? ajv.compile({ $ref: at })
    known.set(at, validate)
    if (validate(value)) return null
    return (validate.errors ?? [])
      .slice(0, 5)
      .map(({ instancePath, message, params }) => `${instancePath || 'it'} ${message} ${JSON.stringify(params)}`)
      .join('; ')
  }
}

/** Every object below, with its JSON pointer, and whether it is one part of an `allOf`. */
function walk(node: Json, visit: (node: Json, at: string, within: boolean) => void, at = '#', within = false): void {
  if (typeof node !== 'object' || node === null) return
  if (!Array.isArray(node)) visit(node, at, within)
  for (const [key, value] of Object.entries(node)) {
    if (key === 'examples' || key === 'example') continue
    walk(value, visit, `${at}/${key}`, key === 'allOf' || (within && Array.isArray(node)))
  }
}

function resolved(document: Json, node: Json): Json {
  if (!node?.$ref) return node
  const parts = (node.$ref as string).slice(2).split('/')
  return resolved(
    document,
    parts.reduce((at, part) => at[part.replaceAll('~1', '/').replaceAll('~0', '~')], document),
  )
}

const methods = ['get', 'head', 'post', 'put', 'patch', 'delete']

function operationsOf(document: Json): readonly Operation[] {
  return Object.entries<Json>(document.paths).flatMap(([at, item]) =>
    methods.flatMap((method) =>
      item[method] ? [{ id: item[method].operationId as string, method, path: at, definition: item[method] }] : [],
    ),
  )
}

function examplesOf(document: Json, judge: Judge): Contract['examples'] {
  const found: { at: string; problems: string | null }[] = []
  walk(document, (node, at) => {
    if (!node.schema || !node.examples) return
    for (const [name, { value }] of Object.entries<Json>(node.examples)) {
      found.push({ at: `${at} ${name}`, problems: judge(node.schema, value) })
    }
  })
  return found
}
