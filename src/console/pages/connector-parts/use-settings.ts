import { useEffect, useMemo, useState } from 'react'
import { useClient } from 'urql'
import type { Language } from '../../i18n/texts.ts'
import { type ConnectorRow, privacyKeys, type SettingItem, settingsOf } from './manifest.ts'
import { connectorLabel } from './queries.ts'
import { usePartsText } from './text.ts'

/** More are not asked for: each question starts code in a sandbox. */
const mostLabels = 40

/**
 * The settings that people see, in their language. Where the connector names its labels by code (`getLabelForKey`), it is
 * asked; until it has answered, and where it does not, the manifest's texts stand.
 *
 * @param connector memoised, or of a result: a new object makes the settings anew.
 */
export function useSettings(connector: ConnectorRow): readonly SettingItem[] {
  const { t, language } = usePartsText()
  const labels = useLabels(connector, language)
  return useMemo(
    () =>
      settingsOf(connector, language, labels).map((item) => {
        // Added when the connector was installed, in English: our own words, in both languages.
        const isOurs = privacyKeys.includes(item.key) && !connector[language]?.settings?.[item.key]
        if (!isOurs) return item
        const key = item.key as 'include_travel_preferences' | 'include_passport_data' | 'include_non_travel_data'
        return { ...item, label: t(`privacy.${key}`), description: t(`privacy.${key}.text`) }
      }),
    [connector, language, labels, t],
  )
}

const none: Readonly<Record<string, string>> = {}

function useLabels(connector: ConnectorRow, language: Language): Readonly<Record<string, string>> {
  const client = useClient()
  const [answer, setAnswer] = useState<{ of: string; labels: Readonly<Record<string, string>> }>()
  const of = `${connector.id} ${language}`
  const asks = connector.functions.includes('getLabelForKey') && connector.status === 'approved'
  useEffect(() => {
    if (!asks) return
    let live = true
    const keys = connector.manifest.settings.filter(({ type }) => type !== 'INTERNAL').map(({ key }) => key)
    const ask = async (key: string) => {
      const variables = { connector: connector.id, key, locale: language }
      const { data } = await client.query(connectorLabel, variables, { requestPolicy: 'cache-first' }).toPromise()
      // Without a label of its own the key itself comes back: then the manifest knows better.
      return data && data.connector_label !== key ? [[key, data.connector_label] as const] : []
    }
    void Promise.all(keys.slice(0, mostLabels).map(ask)).then((found) => {
      if (live) setAnswer({ of, labels: Object.fromEntries(found.flat()) })
    })
    return () => {
      live = false
    }
  }, [client, of, asks])
  return answer?.of === of ? answer.labels : none
}
