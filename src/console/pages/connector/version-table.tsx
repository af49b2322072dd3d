import { Anchor, Group, List, Text } from '@mantine/core'
import { useMemo } from 'react'
import { Link } from 'react-router'
import { useLive } from '../../api/hooks.ts'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { Time } from '../../kit/time.tsx'
import { newerFirst } from '../connector-parts/manifest.ts'
import { PermissionList } from '../connector-parts/permissions.tsx'
import { ReviewState } from '../connector-parts/states.tsx'
import { type ConnectorDetail, liveVersions } from './queries.ts'
import { useText } from './text.ts'

const mostVersions = 50

/** All versions of one connector, and what each may do that the one before it could not. */
export function VersionTable({ connector }: { readonly connector: ConnectorDetail }) {
  const { t } = useText()
  const versions = useLive(liveVersions, { implementation: connector.implementation, limit: mostVersions })
  return (
    <Loaded of={versions}>
      {({ connectors }) => <Versions rows={connectors} shown={connector.id} label={t('versions')} />}
    </Loaded>
  )
}

interface VersionsProps {
  readonly rows: readonly ConnectorDetail[]
  readonly shown: string
  readonly label: string
}

function Versions({ rows, shown, label }: VersionsProps) {
  const { t } = useText()
  const sorted = useMemo(() => rows.toSorted((a, b) => newerFirst(a.version, b.version)), [rows])
  const columns = useMemo<Column<ConnectorDetail>[]>(
    () => [
      {
        id: 'version',
        header: t('version'),
        main: true,
        cell: ({ id, version }) =>
          id === shown ? (
            <Group gap={6} component="span">
              <Text span fw={600} size="sm">
                {version}
              </Text>
              <Text span size="xs" c="dimmed" fw={400}>
                {t('version.shown')}
              </Text>
            </Group>
          ) : (
            <Anchor component={Link} to={`/connectors/${id}`} size="sm">
              {version}
            </Anchor>
          ),
      },
      { id: 'state', header: t('state'), cell: ({ status }) => <ReviewState status={status} /> },
      {
        id: 'difference',
        header: t('version.difference'),
        cell: (row) => <Difference from={sorted[sorted.indexOf(row) + 1]} to={row} />,
      },
      { id: 'installed', header: t('installed'), cell: ({ created_at }) => <Time at={created_at} day /> },
    ],
    [t, sorted, shown],
  )
  return <DataTable label={label} rows={sorted} columns={columns} rowId={({ id }) => id} />
}

interface DifferenceProps {
  readonly from: ConnectorDetail | undefined
  readonly to: ConnectorDetail
}

function Difference({ from, to }: DifferenceProps) {
  const { t } = useText()
  if (!from) {
    return (
      <Text size="sm" c="dimmed" component="span">
        {t('version.first')}
      </Text>
    )
  }
  const had = new Set(from.manifest.permissions.map((one) => JSON.stringify(one)))
  const added = to.manifest.permissions.filter((one) => !had.has(JSON.stringify(one)))
  const keys = new Set(from.manifest.settings.map(({ key }) => key))
  const settings = to.manifest.settings.filter(({ key, type }) => type !== 'INTERNAL' && !keys.has(key))
  if (added.length === 0 && settings.length === 0) {
    return (
      <Text size="sm" c="dimmed" component="span">
        {t('version.same')}
      </Text>
    )
  }
  return (
    <List listStyleType="none" spacing={6} size="sm">
      {added.length > 0 && (
        <List.Item>
          <Text size="xs" c="dimmed">
            {t('version.mayAlso')}
          </Text>
          <PermissionList connector={to} only={added} />
        </List.Item>
      )}
      {settings.length > 0 && (
        <List.Item>
          {t('version.settings', { count: settings.length, names: settings.map(({ key }) => key).join(', ') })}
        </List.Item>
      )}
    </List>
  )
}
