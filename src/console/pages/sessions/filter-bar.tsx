import { useDebouncedCallback } from '@mantine/hooks'
import { IconSearch } from '@tabler/icons-react'
import { useState } from 'react'
import { FilterBar as Bar, FilterSelect, FilterText } from '../../kit/filter-bar.tsx'
import { type Filter, narrows, type Span, spans } from './filter.ts'
import { type FlowChoice, kinds, statuses } from './queries.ts'
import { useText } from './text.ts'

export interface FilterBarProps {
  readonly filter: Filter
  readonly flows: readonly FlowChoice[]
  readonly onChange: (changes: Partial<Record<'q' | 'flow' | 'status' | 'kind' | 'since', string | null>>) => void
}

const span = { base: 6, md: 2 }

/** What the list is narrowed to; all of it stands in the page's address, so it can be kept and passed on. */
export function FilterBar({ filter, flows, onChange }: FilterBarProps) {
  const { t } = useText()
  const [search, setSearch] = useState(filter.search)
  const searchLater = useDebouncedCallback((q: string) => onChange({ q }), 300)
  const clear = () => {
    setSearch('')
    onChange({ q: null, flow: null, status: null, kind: null, since: null })
  }
  return (
    <Bar label={t('filter')} onClear={narrows(filter) ? clear : undefined}>
      <FilterText
        span={{ base: 12, md: 4 }}
        label={t('filter.search')}
        placeholder={t('filter.searchHint')}
        leftSection={<IconSearch size={16} aria-hidden />}
        value={search}
        onChange={(text) => {
          setSearch(text)
          searchLater(text)
        }}
      />
      <FilterSelect
        span={span}
        label={t('flow')}
        placeholder={t('filter.all')}
        data={flows.map(({ id, name }) => ({ value: id, label: name }))}
        value={filter.flow}
        onChange={(flow) => onChange({ flow })}
        searchable={flows.length > 8}
      />
      <FilterSelect
        span={span}
        label={t('status')}
        placeholder={t('filter.all')}
        data={statuses.map((value) => ({ value, label: t(`status.${value}`) }))}
        value={filter.status}
        onChange={(status) => onChange({ status })}
      />
      <FilterSelect
        span={span}
        label={t('kind')}
        placeholder={t('filter.all')}
        data={kinds.map((value) => ({ value, label: t(`kind.${value}`) }))}
        value={filter.kind}
        onChange={(kind) => onChange({ kind })}
      />
      <FilterSelect
        span={span}
        label={t('submitted')}
        placeholder={t('filter.anyTime')}
        data={(Object.keys(spans) as Span[]).map((value) => ({ value, label: t(`filter.${value}`) }))}
        value={filter.span}
        onChange={(since) => onChange({ since })}
      />
    </Bar>
  )
}
