import { Anchor, Badge, Button, Group, Menu, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconAdjustments, IconArrowsExchange, IconPlus, IconTrash } from '@tabler/icons-react'
import { useMemo, useState } from 'react'
import { Link } from 'react-router'
import { useLive } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { RowMenu } from '../../kit/row-menu.tsx'
import { Section } from '../../kit/section.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { VariableBadges } from '../../kit/variable-badges.tsx'
import { AddDestination } from './add-destination.tsx'
import { RemoveDialog, VariablesDialog } from './destination-dialogs.tsx'
import { type DestinationRow, type FlowFacts, liveDestinations } from './queries.ts'
import { useText } from './text.ts'

const pageSize = 50

/** The Send component: who gets the sessions of a flow. */
export function Destinations({ flow }: { readonly flow: FlowFacts }) {
  const { t } = useText()
  const { edit } = useCan()
  const [limit, setLimit] = useState(pageSize)
  const [adding, adder] = useDisclosure()
  const [asking, setAsking] = useState<{ readonly what: 'variables' | 'remove'; readonly row: DestinationRow }>()
  const destinations = useLive(liveDestinations, { flow: flow.id, limit }, { keep: true })
  const columns = useMemo<Column<DestinationRow>[]>(
    () => [
      { id: 'integration', header: t('integration'), main: true, cell: (row) => <Integration row={row} /> },
      { id: 'ways', header: t('ways'), cell: (row) => <Ways row={row} /> },
      {
        id: 'variables',
        header: t('variables'),
        cell: ({ config }) =>
          Object.keys(config ?? {}).length > 0 ? (
            <VariableBadges config={config} />
          ) : (
            <Text size="sm" c="dimmed">
              {t('variables.none')}
            </Text>
          ),
      },
      { id: 'since', header: t('since'), cell: ({ created_at }) => <Time at={created_at} day /> },
      ...(edit
        ? [
            {
              id: 'actions',
              header: t('actions'),
              bare: true,
              align: 'right',
              cell: (row) => (
                <RowMenu label={t('actionsFor', { name: row.integration?.name ?? '' })}>
                  <Menu.Item
                    leftSection={<IconAdjustments size={16} aria-hidden />}
                    onClick={() => setAsking({ what: 'variables', row })}
                  >
                    {t('variables.change')}
                  </Menu.Item>
                  <Menu.Item
                    color="var(--mantine-color-error)"
                    leftSection={<IconTrash size={16} aria-hidden />}
                    onClick={() => setAsking({ what: 'remove', row })}
                  >
                    {t('remove')}
                  </Menu.Item>
                </RowMenu>
              ),
            } satisfies Column<DestinationRow>,
          ]
        : []),
    ],
    [t, edit],
  )
  const add = edit && (
    <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={adder.open}>
      {t('add')}
    </Button>
  )
  const close = () => setAsking(undefined)
  return (
    <Section
      title={t('destinations')}
      description={t('destinations.text')}
      actions={
        edit &&
        (destinations.data?.destinations.length ?? 0) > 0 && (
          <Button variant="default" leftSection={<IconPlus size={18} aria-hidden />} onClick={adder.open}>
            {t('add')}
          </Button>
        )
      }
    >
      <Loaded of={destinations}>
        {({ destinations: rows }) => (
          <DataTable
            label={t('destinations')}
            rows={rows}
            columns={columns}
            rowId={({ id }) => id}
            empty={
              <EmptyState icon={IconArrowsExchange} title={t('empty.title')} action={add}>
                {t('empty.text')}
              </EmptyState>
            }
            onMore={rows.length === limit ? () => setLimit(limit + pageSize) : undefined}
          />
        )}
      </Loaded>
      {adding && <AddDestination flow={flow} onClose={adder.close} />}
      {asking?.what === 'variables' && <VariablesDialog row={asking.row} onClose={close} />}
      {asking?.what === 'remove' && <RemoveDialog row={asking.row} flow={flow} onClose={close} />}
    </Section>
  )
}

function Integration({ row: { integration } }: { readonly row: DestinationRow }) {
  const { t } = useText()
  if (!integration) return <Text size="sm">{t('integration.hidden')}</Text>
  return (
    <Group gap="4px 8px">
      <Anchor component={Link} to={`/integrations/${integration.id}`} fw={600} inherit>
        {integration.name}
      </Anchor>
      {integration.team_id === null && <Badge variant="default">{t('platform')}</Badge>}
      {integration.status === 'disabled' && <StatusBadge tone="off">{t('disabled')}</StatusBadge>}
    </Group>
  )
}

/** How a session gets there; without any, it waits to be fetched by nobody. */
function Ways({ row: { integration } }: { readonly row: DestinationRow }) {
  const { t } = useText()
  if (!integration) return null
  const { webhooks_aggregate, connections_aggregate, api_credentials_aggregate, team_id } = integration
  const ways = [
    ['ways.webhooks', webhooks_aggregate.aggregate.count],
    ['ways.connections', connections_aggregate.aggregate.count],
    ['ways.credentials', api_credentials_aggregate.aggregate.count],
  ] as const
  const there = ways.filter(([, count]) => count > 0)
  // How the platform's own integrations get theirs is the operator's matter.
  if (there.length === 0 && team_id === null) {
    return (
      <Text size="sm" c="dimmed">
        {t('ways.platform')}
      </Text>
    )
  }
  if (there.length === 0) return <NoWay id={integration.id} />
  return <Text size="sm">{there.map(([key, count]) => t(key, { count })).join(', ')}</Text>
}

function NoWay({ id }: { readonly id: string }) {
  const { t } = useText()
  const { edit } = useCan()
  return (
    <Stack gap={2} align="flex-start">
      <StatusBadge tone="warning">{t('ways.none')}</StatusBadge>
      {edit && (
        <Anchor component={Link} to={`/webhooks/new?integration=${id}`} size="sm">
          {t('ways.makeWebhook')}
        </Anchor>
      )}
    </Stack>
  )
}
