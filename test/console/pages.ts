/** Every page of the console, for the tests that hold for all of them. A page is tested as soon as its folder is there. */
import type { Furniture } from './furnish.ts'
import type { Who } from './ground.ts'

export interface PageUnderTest {
  /** In src/console/pages. */
  readonly folder: string
  /** Below `/console`, of the team that `furnish` has furnished. */
  readonly path: (furniture: Furniture) => string
  /** Who looks at it; null for nobody signed in. @default 'editor' */
  readonly who?: Who | null
}

export const pagesUnderTest: readonly PageUnderTest[] = [
  { folder: 'sign-in', path: () => '/sign-in', who: null },
  { folder: 'forgot-password', path: () => '/forgot-password', who: null },
  { folder: 'reset-password', path: () => '/reset-password#no-such-token', who: null },
  { folder: 'invitation', path: () => '/invitation#no-such-token', who: null },
  { folder: 'overview', path: () => '/' },
  { folder: 'sessions', path: () => '/sessions' },
  { folder: 'session', path: ({ session }) => `/sessions/${session}` },
  { folder: 'flows', path: () => '/flows' },
  { folder: 'flow', path: ({ flow }) => `/flows/${flow}` },
  { folder: 'integrations', path: () => '/integrations' },
  { folder: 'integration', path: ({ integration }) => `/integrations/${integration}` },
  { folder: 'webhooks', path: () => '/webhooks' },
  { folder: 'webhooks', path: ({ session }) => `/webhooks?explain=${session}` },
  { folder: 'webhook-new', path: () => '/webhooks/new' },
  { folder: 'webhook', path: ({ webhook }) => `/webhooks/${webhook}` },
  { folder: 'webhook', path: ({ failingWebhook }) => `/webhooks/${failingWebhook}` },
  { folder: 'webhook', path: ({ failingWebhook }) => `/webhooks/${failingWebhook}?tab=deliveries` },
  { folder: 'webhook', path: ({ webhook }) => `/webhooks/${webhook}?tab=replays`, who: 'viewer' },
  { folder: 'webhook-edit', path: ({ webhook }) => `/webhooks/${webhook}/edit` },
  { folder: 'connections', path: () => '/connections' },
  { folder: 'connection-new', path: ({ connector }) => `/connections/new?connector=${connector}` },
  { folder: 'connection-new', path: () => '/connections/new' },
  { folder: 'connection', path: ({ connection }) => `/connections/${connection}` },
  { folder: 'connection', path: ({ connection }) => `/connections/${connection}?tab=runs` },
  { folder: 'connection', path: ({ connection }) => `/connections/${connection}?tab=deliveries` },
  { folder: 'connection', path: ({ connection }) => `/connections/${connection}?tab=settings` },
  { folder: 'connection', path: ({ connection }) => `/connections/${connection}`, who: 'viewer' },
  { folder: 'connectors', path: () => '/connectors', who: 'admin' },
  { folder: 'connector', path: ({ connector }) => `/connectors/${connector}`, who: 'admin' },
  { folder: 'credentials', path: () => '/credentials' },
  { folder: 'audit', path: () => '/audit' },
  { folder: 'team', path: () => '/team' },
  { folder: 'api', path: () => '/api' },
  { folder: 'account', path: () => '/account' },
]
