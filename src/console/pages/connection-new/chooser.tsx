import { Badge, Button, Group, Paper, SimpleGrid, Stack } from '@mantine/core'
import { IconBuildingStore } from '@tabler/icons-react'
import { Link } from 'react-router'
import { useRead } from '../../api/hooks.ts'
import { useOwner } from '../../app/context.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { newerFirst, servesAll, titleOf } from '../connector-parts/manifest.ts'
import { Presentation, useKindName } from '../connector-parts/presentation.tsx'
import { connectorsToConnect } from './queries.ts'
import { useText } from './text.ts'

/** Which connector: the newest approved version of each. */
export function Chooser() {
  const { t, language } = useText()
  const kindName = useKindName()
  const { team } = useOwner()
  const connectors = useRead(connectorsToConnect, {})
  return (
    <Loaded of={connectors}>
      {({ connectors: rows }) => {
        const usable = team ? rows : rows.filter(({ kinds }) => servesAll(kinds))
        const newest = [...Map.groupBy(usable, ({ implementation }) => implementation).values()].flatMap(
          (versions) => versions.toSorted((a, b) => newerFirst(a.version, b.version))[0] ?? [],
        )
        if (newest.length === 0) {
          return (
            <EmptyState
              icon={IconBuildingStore}
              title={t('choose.none')}
              action={
                <Button component={Link} to="/connectors" variant="default">
                  {t('choose.look')}
                </Button>
              }
            >
              {t('choose.noneText')}
            </EmptyState>
          )
        }
        return (
          <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
            {newest.map((connector) => (
              <Paper key={connector.id} withBorder p="md" bg="var(--sluice-surface)" component="article">
                <Stack gap="sm" h="100%" justify="space-between">
                  <Presentation connector={connector} heading={2} />
                  <Group justify="space-between" gap="sm">
                    <Group gap={6}>
                      {connector.kinds.map((kind) => (
                        <Badge key={kind} color="gray" className="sluice-status">
                          {kindName(kind)}
                        </Badge>
                      ))}
                    </Group>
                    <Button
                      component={Link}
                      to={`/connections/new?connector=${connector.id}`}
                      variant="light"
                      aria-label={t('choose.this', { name: titleOf(connector, language).name })}
                    >
                      {t('choose')}
                    </Button>
                  </Group>
                </Stack>
              </Paper>
            ))}
          </SimpleGrid>
        )
      }}
    </Loaded>
  )
}
