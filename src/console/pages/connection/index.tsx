import { Tabs } from '@mantine/core'
import { useState } from 'react'
import { useParams, useSearchParams } from 'react-router'
import { useLive } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { AbsentRow } from '../../kit/absent-row.tsx'
import { LiveDot } from '../../kit/live-dot.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { hearsEvents, newerFirst, takesPayloads, titleOf } from '../connector-parts/manifest.ts'
import { ConnectionState } from '../connector-parts/states.tsx'
import { Actions } from './actions.tsx'
import { Deliveries } from './deliveries.tsx'
import { Overview } from './overview.tsx'
import { type ConnectionDetail, liveConnection, otherVersions } from './queries.ts'
import { Runs } from './runs.tsx'
import { SettingsTab } from './settings-tab.tsx'
import { Sources } from './sources.tsx'
import { useText } from './text.ts'
import { UpgradeDialog } from './upgrade-dialog.tsx'

/** One connection: how it fares, what it did, what came in, and what it is told. */
export function Component() {
  const { t } = useText()
  const { id = '' } = useParams()
  const connection = useLive(liveConnection, { id }, { keep: true })
  const row = connection.data?.connections_by_pk
  if (row && row.id === id) return <Page connection={row} />
  return (
    <AbsentRow
      of={connection}
      title={t('connection')}
      list={{ to: '/connections', label: t('list') }}
      goneTitle={t('gone.title')}
    >
      {t('gone.text')}
    </AbsentRow>
  )
}

function Page({ connection }: { readonly connection: ConnectionDetail }) {
  const { t, language } = useText()
  const { edit } = useCan()
  const [query, setQuery] = useSearchParams()
  const { connector } = connection
  const versions = useLive(
    otherVersions,
    { implementation: connector?.implementation ?? '', id: connection.connector_id },
    { paused: !connector },
  )
  const wanted = query.get('upgrade')
  const [upgrading, setUpgrading] = useState(wanted !== null && edit)
  const others = versions.data?.connectors ?? []
  const newest = others.toSorted((a, b) => newerFirst(a.version, b.version))[0]?.version
  const newer = newest && connector && newerFirst(newest, connector.version) < 0 ? newest : null
  const kinds = connector?.kinds ?? []
  const tabs = [
    'overview',
    'runs',
    ...(hearsEvents(kinds) ? (['deliveries'] as const) : []),
    ...(takesPayloads(kinds) ? (['sources'] as const) : []),
    'settings',
  ] as const
  const tab = tabs.find((one) => one === query.get('tab')) ?? 'overview'
  return (
    <>
      <PageHeader
        title={connection.name}
        description={
          connector
            ? t('through', { name: titleOf(connector, language).name, version: connector.version })
            : t('connectorGone')
        }
        badge={
          <>
            <ConnectionState enabled={connection.enabled} health={connection.health} />
            <LiveDot />
          </>
        }
        back={{ to: '/connections', label: t('list') }}
        actions={
          <Actions connection={connection} canUpgrade={others.length > 0} onUpgrade={() => setUpgrading(true)} />
        }
      />
      <Tabs
        value={tab}
        onChange={(value) => setQuery(value && value !== 'overview' ? { tab: value } : {}, { replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          {tabs.map((one) => (
            <Tabs.Tab key={one} value={one}>
              {t(`tab.${one}`)}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="overview">
          <Overview connection={connection} newer={newer} onUpgrade={() => setUpgrading(true)} />
        </Tabs.Panel>
        <Tabs.Panel value="runs">
          <Runs connection={connection} />
        </Tabs.Panel>
        <Tabs.Panel value="deliveries">
          <Deliveries connection={connection} />
        </Tabs.Panel>
        <Tabs.Panel value="sources">
          <Sources connection={connection} />
        </Tabs.Panel>
        <Tabs.Panel value="settings">
          <SettingsTab connection={connection} />
        </Tabs.Panel>
      </Tabs>
      {upgrading && others.length > 0 && (
        <UpgradeDialog
          connection={connection}
          versions={others}
          wanted={wanted ?? connection.requested_connector_id}
          onClose={() => {
            setUpgrading(false)
            if (wanted) setQuery({}, { replace: true })
          }}
        />
      )}
    </>
  )
}
