/**
 * Every page of the console: its address, its place in the menu, who sees it, and the folder that holds it. A page is
 * there as soon as `pages/<folder>/index.tsx` is, which exports `Component`; until then it has no route and no entry.
 */
import {
  IconActivity,
  IconApi,
  IconArrowsExchange,
  IconBuildingStore,
  IconFileText,
  IconGitBranch,
  IconKey,
  IconPlugConnected,
  IconShieldCheck,
  IconUsersGroup,
  IconWebhook,
} from '@tabler/icons-react'
import type { ComponentType } from 'react'
import type { Role } from '../api/person.ts'
import type en from './en.json'

export interface PageModule {
  readonly Component: ComponentType
}

export interface PageLine {
  /** Below `/console`. */
  readonly path: string
  readonly folder: string
  /** In app/en.json and app/de.json; the menu's entry, and the window's title until the page sets its own. */
  readonly title: keyof typeof en
  /** `entrance`: for who is not signed in. `person`: needs no team. `team`: shows the chosen team's. */
  readonly frame: 'entrance' | 'person' | 'team'
  /** Where it stands in the menu; without it, it is reached from elsewhere. */
  readonly menu?: { readonly group: 'watch' | 'connect' | 'team'; readonly icon: typeof IconActivity }
  /** @default everybody */
  readonly roles?: readonly Role[]
  /** It is there for the platform's own things as well, and uses `useOwner`. @default false */
  readonly platform?: boolean
  /** Whose `:id` the page shows: who opens another team's, comes to that team. */
  readonly table?: Table
}

/** Tables whose rows belong to a team, or to the platform. */
export type Table = 'sessions' | 'flows' | 'webhooks' | 'connections'

/** In the order of the menu. */
export const pageLines: readonly PageLine[] = [
  {
    path: '/',
    folder: 'overview',
    title: 'page.overview',
    frame: 'team',
    menu: { group: 'watch', icon: IconActivity },
  },
  {
    path: '/sessions',
    folder: 'sessions',
    title: 'page.sessions',
    frame: 'team',
    menu: { group: 'watch', icon: IconFileText },
  },
  { path: '/sessions/:id', folder: 'session', title: 'page.session', frame: 'team', table: 'sessions' },
  {
    path: '/audit',
    folder: 'audit',
    title: 'page.audit',
    frame: 'team',
    menu: { group: 'watch', icon: IconShieldCheck },
    platform: true,
  },
  {
    path: '/flows',
    folder: 'flows',
    title: 'page.flows',
    frame: 'team',
    menu: { group: 'connect', icon: IconGitBranch },
  },
  { path: '/flows/:id', folder: 'flow', title: 'page.flow', frame: 'team', table: 'flows' },
  {
    path: '/integrations',
    folder: 'integrations',
    title: 'page.integrations',
    frame: 'team',
    menu: { group: 'connect', icon: IconArrowsExchange },
    platform: true,
  },
  { path: '/integrations/:id', folder: 'integration', title: 'page.integration', frame: 'team', platform: true },
  {
    path: '/webhooks',
    folder: 'webhooks',
    title: 'page.webhooks',
    frame: 'team',
    menu: { group: 'connect', icon: IconWebhook },
    platform: true,
  },
  {
    path: '/webhooks/new',
    folder: 'webhook-new',
    title: 'page.webhook-new',
    frame: 'team',
    roles: ['admin', 'editor'],
    platform: true,
  },
  { path: '/webhooks/:id', folder: 'webhook', title: 'page.webhook', frame: 'team', platform: true, table: 'webhooks' },
  {
    path: '/webhooks/:id/edit',
    folder: 'webhook-edit',
    title: 'page.webhook',
    frame: 'team',
    roles: ['admin', 'editor'],
    platform: true,
    table: 'webhooks',
  },
  {
    path: '/connections',
    folder: 'connections',
    title: 'page.connections',
    frame: 'team',
    menu: { group: 'connect', icon: IconPlugConnected },
    platform: true,
  },
  {
    path: '/connections/new',
    folder: 'connection-new',
    title: 'page.connection-new',
    frame: 'team',
    roles: ['admin', 'editor'],
    platform: true,
  },
  {
    path: '/connections/:id',
    folder: 'connection',
    title: 'page.connection',
    frame: 'team',
    platform: true,
    table: 'connections',
  },
  {
    path: '/connectors',
    folder: 'connectors',
    title: 'page.connectors',
    frame: 'team',
    menu: { group: 'connect', icon: IconBuildingStore },
    platform: true,
  },
  { path: '/connectors/:id', folder: 'connector', title: 'page.connector', frame: 'team', platform: true },
  {
    path: '/credentials',
    folder: 'credentials',
    title: 'page.credentials',
    frame: 'team',
    menu: { group: 'team', icon: IconKey },
    platform: true,
  },
  { path: '/team', folder: 'team', title: 'page.team', frame: 'team', menu: { group: 'team', icon: IconUsersGroup } },
  { path: '/api', folder: 'api', title: 'page.api', frame: 'team', menu: { group: 'team', icon: IconApi } },
  { path: '/account', folder: 'account', title: 'page.account', frame: 'person' },
  { path: '/sign-in', folder: 'sign-in', title: 'page.sign-in', frame: 'entrance' },
  { path: '/invitation', folder: 'invitation', title: 'page.invitation', frame: 'entrance' },
  { path: '/reset-password', folder: 'reset-password', title: 'page.reset-password', frame: 'entrance' },
  { path: '/forgot-password', folder: 'forgot-password', title: 'page.forgot-password', frame: 'entrance' },
]

const modules = import.meta.glob<PageModule>('../pages/*/index.tsx')

export interface Page extends PageLine {
  /** Loads its code, once. */
  readonly load: () => Promise<PageModule>
}

/** The pages that are there. */
export const pages: readonly Page[] = pageLines.flatMap((line) => {
  const load = modules[`../pages/${line.folder}/index.tsx`]
  return load ? [{ ...line, load }] : []
})

/** Where the platform begins. */
export const platformStart = '/integrations'

/** @returns the pages of the menu that this role sees in a team, or in the platform, in order. */
export function menuOf(
  role: Role,
  isPlatform = false,
): readonly (Page & { readonly menu: NonNullable<PageLine['menu']> })[] {
  return pages.filter(
    (page): page is Page & { readonly menu: NonNullable<PageLine['menu']> } =>
      page.menu !== undefined && (page.roles?.includes(role) ?? true) && (!isPlatform || page.platform === true),
  )
}
