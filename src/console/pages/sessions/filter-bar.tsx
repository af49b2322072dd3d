import { Button, CloseButton, Grid, Select, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconSearch } from '@tabler/icons-react'
import { useState } from 'react'
import { type Filter, narrows, type Span, spans } from './filter.ts'
import { type FlowChoice, kinds, statuses } from './queries.ts'
import { useText } from './text.ts'

export interface FilterBarProps {
  readonly filter: Filter
  readonly flows: readonly FlowChoice[]
  readonly onChange: (changes: Partial<Record<'q' | 'flow' | 'status' | 'kind' | 'since', string | null>>) => void
}

/** What the list is narrowed to; all of it stands in the page's address, so it can be kept and passed on. */
export function FilterBar({ filter, flows, onChange }: FilterBarProps) {
  const { t } = useText()
  const [search, setSearch] = useState(filter.search)
  const searchLater = useDebouncedCallback((q: string) => onChange({ q }), 300)
  const type = (text: string) => {
    setSearch(text)
    searchLater(text)
  }
  return (
    <Grid gap="xs" align="flex-end" component="search" aria-label={t('filter')}>
      <Grid.Col span={{ base: 12, md: 4 }}>
        <TextInput
          label={t('filter.search')}
          placeholder={t('filter.searchHint')}
          leftSection={<IconSearch size={16} aria-hidden />}
          rightSection={
            search && <CloseButton size="sm" aria-label={t('filter.searchClear')} onClick={() => type('')} />
          }
          value={search}
          onChange={(event) => type(event.currentTarget.value)}
          autoComplete="off"
          spellCheck={false}
        />
      </Grid.Col>
      <Grid.Col span={{ base: 6, md: 2 }}>
        <Select
          label={t('flow')}
          placeholder={t('filter.all')}
          data={flows.map(({ id, name }) => ({ value: id, label: name }))}
          value={filter.flow}
          onChange={(flow) => onChange({ flow })}
          searchable={flows.length > 8}
          clearable
          clearButtonProps={{ 'aria-label': t('filter.clearOne', { name: t('flow') }) }}
        />
      </Grid.Col>
      <Grid.Col span={{ base: 6, md: 2 }}>
        <Select
          label={t('status')}
          placeholder={t('filter.all')}
          data={statuses.map((value) => ({ value, label: t(`status.${value}`) }))}
          value={filter.status}
          onChange={(status) => onChange({ status })}
          clearable
          clearButtonProps={{ 'aria-label': t('filter.clearOne', { name: t('status') }) }}
        />
      </Grid.Col>
      <Grid.Col span={{ base: 6, md: 2 }}>
        <Select
          label={t('kind')}
          placeholder={t('filter.all')}
          data={kinds.map((value) => ({ value, label: t(`kind.${value}`) }))}
          value={filter.kind}
          onChange={(kind) => onChange({ kind })}
          clearable
          clearButtonProps={{ 'aria-label': t('filter.clearOne', { name: t('kind') }) }}
        />
      </Grid.Col>
      <Grid.Col span={{ base: 6, md: 2 }}>
        <Select
          label={t('submitted')}
          placeholder={t('filter.anyTime')}
          data={(Object.keys(spans) as Span[]).map((value) => ({ value, label: t(`filter.${value}`) }))}
          value={filter.span}
          onChange={(since) => onChange({ since })}
          clearable
          clearButtonProps={{ 'aria-label': t('filter.clearOne', { name: t('submitted') }) }}
        />
      </Grid.Col>
      {narrows(filter) && (
        <Grid.Col span={12}>
          <Button
            variant="subtle"
            size="compact-sm"
            onClick={() => {
              setSearch('')
              onChange({ q: null, flow: null, status: null, kind: null, since: null })
            }}
          >
            {t('filter.clear')}
          </Button>
        </Grid.Col>
      )}
    </Grid>
  )
}
