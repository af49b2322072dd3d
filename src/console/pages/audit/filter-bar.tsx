import { useDebouncedCallback } from '@mantine/hooks'
import { useState } from 'react'
import { FilterBar as Bar, FilterSelect, FilterText } from '../../kit/filter-bar.tsx'
import { type Filter, type FilterName, isId, narrows, type Span, spans } from './filter.ts'
import { type ActorsData, actorKinds, outcomes } from './queries.ts'
import { useText } from './text.ts'

export interface FilterBarProps {
  readonly filter: Filter
  readonly actors: ActorsData | undefined
  readonly onChange: (changes: Partial<Record<FilterName, string | null>>) => void
}

const wide = { base: 12, sm: 6, md: 3 }
const narrow = { base: 6, sm: 3, md: 1.5 }

/** What the log is narrowed to; all of it stands in the page's address, so it can be kept and passed on. */
export function FilterBar({ filter, actors, onChange }: FilterBarProps) {
  const { t } = useText()
  const [typed, setTyped] = useState({ operation: filter.operation, session: filter.session })
  const changeLater = useDebouncedCallback(onChange, 300)
  const type = (changes: Partial<typeof typed>) => {
    setTyped({ ...typed, ...changes })
    changeLater(changes)
  }
  const actor = filter.actor && ('kind' in filter.actor ? filter.actor.kind : filter.actor.id)
  const clear = () => {
    setTyped({ operation: '', session: '' })
    onChange({ actor: null, operation: null, outcome: null, session: null, since: null })
  }
  return (
    <Bar label={t('filter')} onClear={narrows(filter) ? clear : undefined}>
      <FilterSelect
        span={wide}
        label={t('actor')}
        placeholder={t('filter.everybody')}
        data={actorChoices(actors, t, actor)}
        value={actor}
        onChange={(value) => onChange({ actor: value })}
        searchable
        nothingFoundMessage={t('filter.nobody')}
      />
      <FilterText
        span={wide}
        label={t('operation')}
        placeholder="submit_session"
        value={typed.operation}
        onChange={(operation) => type({ operation })}
      />
      <FilterSelect
        span={narrow}
        label={t('outcome')}
        placeholder={t('filter.all')}
        data={outcomes.map((value) => ({ value, label: t(`outcome.${value}`) }))}
        value={filter.outcome}
        onChange={(outcome) => onChange({ outcome })}
      />
      <FilterSelect
        span={narrow}
        label={t('at')}
        placeholder={t('filter.anyTime')}
        data={(Object.keys(spans) as Span[]).map((value) => ({ value, label: t(`filter.${value}`) }))}
        value={filter.span}
        onChange={(since) => onChange({ since })}
      />
      <FilterText
        span={wide}
        label={t('session')}
        placeholder={t('session.hint')}
        value={typed.session}
        onChange={(text) => type({ session: text.trim() })}
        error={typed.session !== '' && !isId(typed.session) && t('session.wrong')}
      />
    </Bar>
  )
}

/** Kinds of actors, and those of the team by name; one that an address names is there too, by its id. */
function actorChoices(actors: ActorsData | undefined, t: ReturnType<typeof useText>['t'], chosen: string | null) {
  const groups = [
    { group: t('actor.kinds'), items: actorKinds.map((kind) => ({ value: kind as string, label: t(`kind.${kind}`) })) },
    {
      group: t('actor.people'),
      items: (actors?.users ?? []).map(({ id, name }) => ({ value: id, label: name })),
    },
    {
      group: t('actor.credentials'),
      items: (actors?.api_credentials ?? []).map(({ id, name }) => ({ value: id, label: name })),
    },
    {
      group: t('actor.connections'),
      items: (actors?.connections ?? []).map(({ id, name }) => ({ value: id, label: name })),
    },
  ].filter(({ items }) => items.length > 0)
  const isKnown = chosen === null || groups.some(({ items }) => items.some(({ value }) => value === chosen))
  return isKnown ? groups : [{ group: t('actor.other'), items: [{ value: chosen, label: chosen }] }, ...groups]
}
