import { DataList } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import type { ReactNode } from 'react'

export type Fact = readonly [label: string, value: ReactNode]

/** Labels and values, above each other on small screens; what is false is left out. */
export function Facts({ facts }: { readonly facts: readonly (Fact | false | '' | null | undefined)[] }) {
  const small = useMediaQuery('(max-width: 36em)', undefined, { getInitialValueInEffect: false })
  return (
    <DataList labelWidth={210} orientation={small ? 'vertical' : 'horizontal'}>
      {facts.map(
        (fact) =>
          fact && (
            <DataList.Item key={fact[0]}>
              <DataList.ItemLabel>{fact[0]}</DataList.ItemLabel>
              <DataList.ItemValue style={{ minWidth: 0, overflowWrap: 'anywhere' }}>{fact[1]}</DataList.ItemValue>
            </DataList.Item>
          ),
      )}
    </DataList>
  )
}
