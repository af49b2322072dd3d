import { Button, Group, Select, SimpleGrid, Skeleton, Switch, TextInput } from '@mantine/core'
import { useDebouncedValue, useDisclosure } from '@mantine/hooks'
import { IconBuildingStore, IconPackageImport, IconSearch } from '@tabler/icons-react'
import { useMemo, useState } from 'react'
import { useLive } from '../../api/hooks.ts'
import { useCan, useOwner } from '../../app/context.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { LiveDot } from '../../kit/live-dot.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import type { ConnectorKind } from '../connector-parts/manifest.ts'
import { useKindName } from '../connector-parts/presentation.tsx'
import { ConnectorCard } from './connector-card.tsx'
import { InstallDialog } from './install-dialog.tsx'
import { entriesOf } from './market.ts'
import { liveConnectors } from './queries.ts'
import { useText } from './text.ts'

const pageSize = 48
const kinds: readonly ConnectorKind[] = ['consumer', 'producer', 'two-phase-producer', 'modifier', 'webhook']

/** The marketplace: every connector in the extension guide's standard layout. */
export function Component() {
  const { t } = useText()
  const kindName = useKindName()
  const { rows: owner } = useOwner()
  const { administer } = useCan()
  const [search, setSearch] = useState('')
  const [wanted] = useDebouncedValue(search.trim(), 250)
  const [kind, setKind] = useState<string | null>(null)
  const [withEnded, setWithEnded] = useState(false)
  const [limit, setLimit] = useState(pageSize)
  const [installing, { open, close }] = useDisclosure()
  const where = useMemo(() => whereOf({ wanted, kind, withEnded }), [wanted, kind, withEnded])
  const connectors = useLive(liveConnectors, { owner, limit, where }, { keep: true })
  const isFiltered = wanted !== '' || kind !== null
  const install = administer && (
    <Button leftSection={<IconPackageImport size={18} aria-hidden />} onClick={open}>
      {t('install')}
    </Button>
  )
  return (
    <>
      <PageHeader title={t('title')} description={t('description')} badge={<LiveDot />} actions={install} />
      <Group mb="md" gap="sm">
        <TextInput
          aria-label={t('search')}
          placeholder={t('search')}
          type="search"
          leftSection={<IconSearch size={16} aria-hidden />}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          flex="1 1 220px"
          maw={360}
        />
        <Select
          aria-label={t('kind')}
          placeholder={t('kind.all')}
          data={kinds.map((one) => ({ value: one, label: kindName(one) }))}
          value={kind}
          onChange={setKind}
          clearable
          clearButtonProps={{ 'aria-label': t('kind.clear') }}
          flex="1 1 220px"
          maw={360}
        />
        {administer && (
          <Switch
            label={t('withEnded')}
            checked={withEnded}
            onChange={(event) => setWithEnded(event.currentTarget.checked)}
          />
        )}
      </Group>
      <Loaded of={connectors} placeholder={<CardsLoading />}>
        {({ connectors: rows }) => {
          const entries = entriesOf(rows)
          if (entries.length === 0) {
            return isFiltered ? (
              <EmptyState
                icon={IconSearch}
                title={t('none.title')}
                action={
                  <Button
                    variant="default"
                    onClick={() => {
                      setSearch('')
                      setKind(null)
                    }}
                  >
                    {t('none.clear')}
                  </Button>
                }
              >
                {t('none.text')}
              </EmptyState>
            ) : (
              <EmptyState icon={IconBuildingStore} title={t('empty.title')} action={install}>
                {t(administer ? 'empty.admin' : 'empty.text')}
              </EmptyState>
            )
          }
          return (
            <>
              <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
                {entries.map((entry) => (
                  <ConnectorCard key={entry.shown.implementation} entry={entry} />
                ))}
              </SimpleGrid>
              {rows.length === limit && (
                <Group justify="center">
                  <Button variant="default" onClick={() => setLimit(limit + pageSize)}>
                    {t('showMore')}
                  </Button>
                </Group>
              )}
            </>
          )
        }}
      </Loaded>
      {installing && <InstallDialog onClose={close} />}
    </>
  )
}

interface Filter {
  readonly wanted: string
  readonly kind: string | null
  readonly withEnded: boolean
}

function whereOf({ wanted, kind, withEnded }: Filter): Readonly<Record<string, unknown>> {
  // As typed: these two stand for anything in the API's patterns.
  const pattern = `%${wanted.replaceAll(/[\\%_]/g, '\\$&')}%`
  return {
    ...(withEnded ? {} : { status: { _in: ['approved', 'submitted'] } }),
    ...(kind ? { kinds: { _contains: [kind] } } : {}),
    ...(wanted
      ? {
          _or: [
            { name: { _ilike: pattern } },
            { description: { _ilike: pattern } },
            { author: { _ilike: pattern } },
            { implementation: { _ilike: pattern } },
          ],
        }
      : {}),
  }
}

function CardsLoading() {
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
      {[1, 2, 3, 4].map((n) => (
        <Skeleton key={n} h={220} />
      ))}
    </SimpleGrid>
  )
}
