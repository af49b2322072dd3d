import type { ReactNode } from 'react'
import { EmptyState, type EmptyStateProps } from './empty-state.tsx'
import { LiveDot } from './live-dot.tsx'
import { Loaded, type LoadedProps } from './loaded.tsx'
import { PageHeader } from './page-header.tsx'

export interface ListPageProps<Row> {
  readonly title: string
  readonly description: string
  /** The button that makes one: in the head, or where the list would be while there is none. */
  readonly action: ReactNode
  /** What `useLive` gave. */
  readonly of: Omit<LoadedProps<unknown>['of'], 'data'>
  /** Undefined until they are there. */
  readonly rows: readonly Row[] | undefined
  /** What would be here. */
  readonly empty: Pick<EmptyStateProps, 'icon' | 'title'> & { readonly text: string }
  readonly children: (rows: readonly Row[]) => ReactNode
}

/** A page that is one live list. */
export function ListPage<Row>({ title, description, action, of, rows, empty, children }: ListPageProps<Row>) {
  return (
    <>
      <PageHeader
        title={title}
        description={description}
        badge={<LiveDot />}
        actions={rows?.length === 0 ? undefined : action}
      />
      <Loaded of={{ ...of, data: rows }}>
        {(all) =>
          all.length === 0 ? (
            <EmptyState icon={empty.icon} title={empty.title} action={action}>
              {empty.text}
            </EmptyState>
          ) : (
            children(all)
          )
        }
      </Loaded>
    </>
  )
}
