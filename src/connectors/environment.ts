/** The keys that are always among a connector's settings: where it runs and for whom. The extension guide, *Execution environment*. */
import { environmentPrefix } from './manifest.ts'

export interface Environment {
  /** Path under which the installation is reached, such as `/be/prod`; `/` for the root of its host. */
  readonly serverContext: string
  readonly isProduction: boolean
}

/** Names of the guide's `SettingItem.KEY_…`. */
export const environmentKeys = {
  serverContext: `${environmentPrefix}servercontext`,
  fileStore: `${environmentPrefix}filestore`,
  isProduction: `${environmentPrefix}isproduction`,
  accountUuid: `${environmentPrefix}account-uuid`,
} as const

/** @param config of the installation; production is the environment that is named so. */
export function environmentOf({
  PUBLIC_URL,
  SLUICE_ENVIRONMENT,
}: {
  readonly PUBLIC_URL: string
  readonly SLUICE_ENVIRONMENT: string
}): Environment {
  const { pathname } = new URL(PUBLIC_URL)
  return {
    serverContext: pathname.replace(/(.)\/+$/, '$1'),
    isProduction: ['production', 'prod', 'live'].includes(SLUICE_ENVIRONMENT),
  }
}

/**
 * @param connectionId the store of files belongs to the connection, so that no account needs a folder in it.
 * @param teamId the guide's account: the team whose session it is; null when there is none.
 */
export function environmentSettings(
  { serverContext, isProduction }: Environment,
  connectionId: string,
  teamId: string | null,
): Readonly<Record<string, string | boolean | null>> {
  return {
    [environmentKeys.serverContext]: serverContext,
    [environmentKeys.fileStore]: `connections/${connectionId}/`,
    [environmentKeys.isProduction]: isProduction,
    [environmentKeys.accountUuid]: teamId,
  }
}
