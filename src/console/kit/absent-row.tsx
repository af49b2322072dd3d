import { Button } from '@mantine/core'
import { IconMapOff } from '@tabler/icons-react'
import { Link } from 'react-router'
import { EmptyState } from './empty-state.tsx'
import { Loaded, type LoadedProps } from './loaded.tsx'
import { PageHeader } from './page-header.tsx'

export interface AbsentRowProps {
  /** What `useLive` gave, as long as the row that the address names is not in it. */
  readonly of: LoadedProps<unknown>['of']
  /** Until it is known that there is none: "Flow". */
  readonly title: string
  /** Where the others are. */
  readonly list: { readonly to: string; readonly label: string }
  /** "There is no such flow" */
  readonly goneTitle: string
  /** Why that may be. */
  readonly children: string
}

/** The page of a row while it is being fetched, and when there is none: then the way to the others. */
export function AbsentRow({ of, title, list, goneTitle, children }: AbsentRowProps) {
  return (
    <>
      <PageHeader title={of.data === undefined ? title : goneTitle} back={list} />
      <Loaded of={of}>
        {() => (
          <EmptyState
            icon={IconMapOff}
            title={goneTitle}
            action={
              <Button component={Link} to={list.to}>
                {list.label}
              </Button>
            }
          >
            {children}
          </EmptyState>
        )}
      </Loaded>
    </>
  )
}
