/** Webhooks as editors make and change them. */
import { z } from 'zod'
import type { Sealer } from '../access/seal.ts'
import type { Database } from '../database/database.ts'
import { Prisma, type Webhook } from '../database/generated/prisma/client.ts'
import { SluiceError } from '../errors.ts'
import { defaultEvents, deliverySettings, eventList } from '../tables/event-shape.ts'
import { checkHeaders, sealHeaders, type WebhookHeaders } from './headers.ts'
import { sealWebhookSecret } from './secrets.ts'
import { newSigningSecret, readSigningSecret, signatureKinds } from './signing.ts'
import { checkWebhookUrl, type UrlRules } from './url.ts'

export interface WebhookParts {
  readonly database: Database
  readonly sealer: Sealer
  readonly rules: UrlRules
  /** Throws a SluiceError for a pattern that cannot be understood. */
  readonly validatePattern: (pattern: unknown) => unknown
}

const mostJsonBytes = 8 * 1024

const jsonObject = z.record(z.string(), z.json()).refine((value) => JSON.stringify(value).length <= mostJsonBytes, {
  message: `may be ${mostJsonBytes} bytes of JSON at most`,
})

const signatureList = z
  .array(z.enum(signatureKinds, { message: `may hold ${signatureKinds.join(' and ')}` }))
  .min(1, { message: 'must name v1, v1a or both' })
  .refine((kinds) => new Set(kinds).size === kinds.length, { message: 'names a kind twice' })

/** What can be set. `concurrency` is requests at once; `timeout_ms` is for a whole attempt. */
const settings = z.strictObject({
  name: z.string().trim().min(1).max(200),
  url: z.string().min(1),
  /** Fixed object that goes with every event. */
  config: jsonObject.default({}),
  pattern: jsonObject.default({}),
  enabled: z.boolean().default(true),
  concurrency: z.int().min(1).max(64).default(8),
  timeout_ms: z.int().min(1000).max(30_000).default(20_000),
  events: eventList.default(() => [...defaultEvents] as z.output<typeof eventList>),
  headers: z.record(z.string(), z.unknown()).default({}),
  ordered: deliverySettings.ordered.default(false),
  rate_per_second: deliverySettings.rate_per_second.default(null),
  signatures: signatureList.default(['v1']),
})

const newWebhook = settings.extend({
  integration_id: z.uuid(),
  /** One that the receiver already has; without it, one is made. */
  secret: z.string().optional(),
  /** Sent, and never shown. */
  secret_headers: z.record(z.string(), z.unknown()).optional(),
})

export type NewWebhook = z.input<typeof newWebhook>

/** Without defaults: what is left out stays as it is. */
const changedWebhook = z.strictObject({
  name: settings.shape.name.optional(),
  url: settings.shape.url.optional(),
  config: jsonObject.optional(),
  pattern: jsonObject.optional(),
  enabled: z.boolean().optional(),
  concurrency: settings.shape.concurrency.unwrap().optional(),
  timeout_ms: settings.shape.timeout_ms.unwrap().optional(),
  events: eventList.optional(),
  headers: settings.shape.headers.unwrap().optional(),
  ordered: deliverySettings.ordered.optional(),
  rate_per_second: deliverySettings.rate_per_second.optional(),
  signatures: signatureList.optional(),
})

export type WebhookChange = z.input<typeof changedWebhook>

/** What the rules of a webhook's settings need. */
export type WebhookRules = Pick<WebhookParts, 'rules' | 'validatePattern'>

/**
 * The settings of a new webhook, in their normal form and with their defaults.
 *
 * @throws SluiceError VALIDATION_FAILED for each rule.
 */
export async function checkNewWebhook(parts: WebhookRules, input: unknown) {
  const { secret, secret_headers = {}, ...given } = parsed(newWebhook, input)
  if (secret !== undefined) readSigningSecret(secret)
  const secretHeaders = checkHeaders(secret_headers, 'secret_headers')
  const checked = await checkedSettings(parts, given)
  requireDistinct(checked.headers, secretHeaders)
  return { ...checked, secret, secretHeaders }
}

/**
 * What a change sets. That a new URL, or enabling, gives a webhook which had
 * failed a fresh start, is seen to by triggers of the table.
 *
 * @throws SluiceError VALIDATION_FAILED for each rule.
 */
export async function checkWebhookChange(parts: WebhookRules, input: unknown) {
  return checkedSettings(parts, parsed(changedWebhook, input))
}

/** @throws SluiceError VALIDATION_FAILED when a header is both shown and secret. */
export function requireDistinct(headers: object, secretHeaders: object): void {
  const twice = Object.keys(secretHeaders).find((name) => Object.hasOwn(headers, name))
  if (twice === undefined) return
  throw new SluiceError('VALIDATION_FAILED', `secret_headers.${twice} is among headers too; keep one of them.`, {
    path: `secret_headers.${twice}`,
  })
}

/**
 * A webhook as it stands after a change whose outcome only the database knows,
 * such as a key added to its pattern.
 *
 * @throws SluiceError VALIDATION_FAILED for each rule but those of its URL.
 */
export function checkWebhookRow({ validatePattern }: WebhookRules, row: Readonly<Record<string, unknown>>): void {
  const given = Object.fromEntries(Object.keys(settings.shape).map((key) => [key, row[key]]))
  const { pattern, headers } = parsed(settings, given)
  validatePattern(pattern)
  checkHeaders(headers, 'headers')
}

/**
 * Makes a webhook and its signing secret, which is not shown again.
 *
 * @throws SluiceError VALIDATION_FAILED for each rule, NOT_FOUND for an unknown integration.
 * @example
 * const { webhook, secret } = await createWebhook(parts, {
 *   integration_id, name: 'BOPS', url: 'https://bops.example/hooks', pattern: { team: { _eq: 'camden' } },
 * })
 */
export async function createWebhook(
  parts: WebhookParts,
  input: NewWebhook,
): Promise<{ readonly webhook: Webhook; readonly secret: string }> {
  const { secret = newSigningSecret(), secretHeaders, integration_id, ...checked } = await checkNewWebhook(parts, input)
  const sealed = sealHeaders(parts.sealer, secretHeaders)
  const { prisma } = parts.database
  const integration = await prisma.integration.findUnique({ where: { id: integration_id } })
  if (!integration) {
    throw new SluiceError('NOT_FOUND', `There is no integration ${integration_id}.`, { path: 'integration_id' })
  }
  const webhook = await prisma.webhook.create({
    data: {
      ...checked,
      integration_id,
      team_id: integration.team_id,
      sealed_headers: sealed && new Uint8Array(sealed),
      secret_header_names: Object.keys(secretHeaders).sort(),
      secrets: { create: { sealed: new Uint8Array(sealWebhookSecret(parts.sealer, secret)) } },
    },
  })
  return { webhook, secret }
}

/**
 * Changes what is given; see `checkWebhookChange`.
 *
 * @throws SluiceError as `createWebhook`.
 */
export async function updateWebhook(parts: WebhookParts, id: string, input: WebhookChange): Promise<Webhook> {
  const data = await checkWebhookChange(parts, input)
  try {
    return await parts.database.prisma.webhook.update({ where: { id }, data })
  } catch (error) {
    if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2025') {
      throw new SluiceError('NOT_FOUND', `There is no webhook ${id}.`, { path: 'id', cause: error })
    }
    throw error
  }
}

/** Deliveries of a disabled webhook are cancelled when they come due. */
export function setWebhookEnabled(parts: WebhookParts, id: string, enabled: boolean): Promise<Webhook> {
  return updateWebhook(parts, id, { enabled })
}

async function checkedSettings<
  T extends { readonly url?: string; readonly pattern?: unknown; readonly headers?: unknown },
>({ rules, validatePattern }: WebhookRules, given: T): Promise<T & { readonly headers?: WebhookHeaders }> {
  if (given.pattern !== undefined) validatePattern(given.pattern)
  return {
    ...given,
    ...(given.headers !== undefined && { headers: checkHeaders(given.headers, 'headers') }),
    ...(given.url !== undefined && { url: await checkWebhookUrl(given.url, rules) }),
  }
}

function parsed<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const path = issue?.path.join('.')
  throw new SluiceError('VALIDATION_FAILED', `${path || 'The webhook'}: ${issue?.message ?? 'is not valid'}.`, { path })
}
