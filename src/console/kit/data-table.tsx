import { Box, Button, DataList, Group, Paper, Stack, Table, UnstyledButton } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import { IconArrowDown, IconArrowsSort, IconArrowUp } from '@tabler/icons-react'
import { type ColumnDef, createSortedRowModel, rowSortingFeature, tableFeatures, useTable } from '@tanstack/react-table'
import { type ReactNode, useMemo } from 'react'
import { useKitText } from './text.ts'

const features = tableFeatures({ rowSortingFeature, sortedRowModel: createSortedRowModel() })

export interface Column<Row> {
  readonly id: string
  readonly header: string
  readonly cell: (row: Row) => ReactNode
  /** Makes the column sortable; only where all rows are loaded. Times of the API sort as text. */
  readonly sortBy?: (row: Row) => string | number | null
  readonly align?: 'right'
  /** The row's name: the heading of its card on small screens. Exactly one column has it. */
  readonly main?: boolean
  /** Has no header to see, as for buttons. @default false */
  readonly bare?: boolean
}

export interface DataTableProps<Row> {
  /** What the rows are, for screen readers. */
  readonly label: string
  readonly rows: readonly Row[]
  /** Keep them at module level or in `useMemo`. */
  readonly columns: readonly Column<Row>[]
  readonly rowId: (row: Row) => string
  /** Instead of a table without rows. */
  readonly empty?: ReactNode
  /** There may be more rows: asks for them. */
  readonly onMore?: () => void
}

/** Rows as a table whose head stays in sight; on small screens as cards, so that nothing scrolls sideways. */
export function DataTable<Row extends object>({ label, rows, columns, rowId, empty, onMore }: DataTableProps<Row>) {
  const { t } = useKitText()
  const small = useMediaQuery('(max-width: 61.99em)', undefined, { getInitialValueInEffect: false })
  const definitions = useMemo(
    () =>
      columns.map(
        (column): ColumnDef<typeof features, Row> =>
          column.sortBy
            ? {
                id: column.id,
                accessorFn: (row) => column.sortBy?.(row) ?? undefined,
                sortFn: byValue,
                sortUndefined: 'last',
              }
            : { id: column.id, enableSorting: false },
      ),
    [columns],
  )
  const table = useTable({ features, columns: definitions, data: rows as Row[], getRowId: rowId })
  if (rows.length === 0 && empty) return <>{empty}</>

  const byId = new Map(columns.map((column) => [column.id, column]))
  const sorted = table.getRowModel().rows
  return (
    <Stack gap="sm">
      {small ? (
        <Cards label={label} rows={sorted.map(({ id, original }) => ({ id, row: original }))} columns={columns} />
      ) : (
        <Paper withBorder bg="var(--sluice-surface)" className="sluice-table">
          <Table
            verticalSpacing="xs"
            horizontalSpacing="md"
            highlightOnHover
            stickyHeader
            stickyHeaderOffset={56}
            aria-label={label}
          >
            <Table.Thead>
              {table.getHeaderGroups().map((group) => (
                <Table.Tr key={group.id}>
                  {group.headers.map((header) => {
                    const column = byId.get(header.id)
                    const direction = header.column.getCanSort() ? header.column.getIsSorted() : undefined
                    if (!column) return null
                    return (
                      <Table.Th
                        key={header.id}
                        ta={column.align}
                        aria-sort={direction === 'asc' ? 'ascending' : direction === 'desc' ? 'descending' : undefined}
                      >
                        {direction === undefined ? (
                          <span className={column.bare ? 'sluice-hidden' : undefined}>{column.header}</span>
                        ) : (
                          <UnstyledButton
                            onClick={header.column.getToggleSortingHandler()}
                            title={t('table.sort', { column: column.header })}
                            fz="inherit"
                            fw="inherit"
                          >
                            <Group gap={4} wrap="nowrap" component="span">
                              {column.header}
                              <SortSign direction={direction} />
                            </Group>
                          </UnstyledButton>
                        )}
                      </Table.Th>
                    )
                  })}
                </Table.Tr>
              ))}
            </Table.Thead>
            <Table.Tbody>
              {sorted.map(({ id, original }) => (
                <Table.Tr key={id}>
                  {columns.map((column) => (
                    <Table.Td key={column.id} ta={column.align}>
                      {column.cell(original)}
                    </Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
      {onMore && (
        <Group justify="center">
          <Button variant="default" onClick={onMore}>
            {t('table.more')}
          </Button>
        </Group>
      )}
    </Stack>
  )
}

interface CardsProps<Row> {
  readonly label: string
  readonly rows: readonly { readonly id: string; readonly row: Row }[]
  readonly columns: readonly Column<Row>[]
}

function Cards<Row>({ label, rows, columns }: CardsProps<Row>) {
  const main = columns.find((column) => column.main) ?? columns[0]
  const bare = columns.filter((column) => column.bare && column !== main)
  const rest = columns.filter((column) => !column.bare && column !== main)
  return (
    <Stack gap="xs" component="ul" aria-label={label} p={0} m={0} style={{ listStyle: 'none' }}>
      {rows.map(({ id, row }) => (
        <Paper key={id} component="li" withBorder p="sm" bg="var(--sluice-surface)">
          <Group justify="space-between" align="flex-start" wrap="nowrap" gap="xs">
            <Box fw={600} miw={0} style={{ overflowWrap: 'anywhere' }}>
              {main?.cell(row)}
            </Box>
            <Group gap={4} wrap="nowrap">
              {bare.map((column) => (
                <Box key={column.id}>{column.cell(row)}</Box>
              ))}
            </Group>
          </Group>
          <DataList mt="xs" gap={6} labelWidth={104}>
            {rest.map((column) => (
              <DataList.Item key={column.id}>
                <DataList.ItemLabel w={104}>{column.header}</DataList.ItemLabel>
                <DataList.ItemValue style={{ minWidth: 0, overflowWrap: 'anywhere' }}>
                  {column.cell(row)}
                </DataList.ItemValue>
              </DataList.Item>
            ))}
          </DataList>
        </Paper>
      ))}
    </Stack>
  )
}

function SortSign({ direction }: { readonly direction: false | 'asc' | 'desc' }) {
  const Sign = direction === 'asc' ? IconArrowUp : direction === 'desc' ? IconArrowDown : IconArrowsSort
  return <Sign size={14} aria-hidden opacity={direction ? 1 : 0.5} />
}

interface Valued {
  getValue(id: string): unknown
}

/** Numbers by size, texts as people sort them. */
function byValue(a: Valued, b: Valued, id: string): number {
  const [left, right] = [a.getValue(id), b.getValue(id)]
  if (typeof left === 'number' && typeof right === 'number') return left - right
  return String(left).localeCompare(String(right), undefined, { numeric: true })
}
