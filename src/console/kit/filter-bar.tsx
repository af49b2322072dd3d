import { Button, CloseButton, Grid, type GridColProps, Select, type SelectProps, TextInput } from '@mantine/core'
import type { ReactNode } from 'react'
import { useKitText } from './text.ts'

export interface FilterBarProps {
  /** What it is for, for screen readers. */
  readonly label: string
  /** Takes all of it back; none where nothing is left out. */
  readonly onClear: (() => void) | undefined
  readonly children: ReactNode
}

/** What a list is narrowed to: fields side by side, two in a row on small screens. */
export function FilterBar({ label, onClear, children }: FilterBarProps) {
  const { t } = useKitText()
  return (
    <Grid gap="xs" align="flex-start" component="search" aria-label={label}>
      {children}
      {onClear && (
        <Grid.Col span={12}>
          <Button variant="subtle" size="compact-sm" onClick={onClear}>
            {t('filter.clear')}
          </Button>
        </Grid.Col>
      )}
    </Grid>
  )
}

interface FieldProps {
  readonly label: string
  /** Of twelve columns. */
  readonly span: GridColProps['span']
}

export interface FilterSelectProps
  extends FieldProps,
    Pick<SelectProps, 'data' | 'searchable' | 'nothingFoundMessage'> {
  readonly value: string | null
  /** When nothing is chosen: "All". */
  readonly placeholder: string
  readonly onChange: (value: string | null) => void
}

export function FilterSelect({ span, ...select }: FilterSelectProps) {
  const { t } = useKitText()
  return (
    <Grid.Col span={span}>
      <Select
        {...select}
        limit={100}
        clearable
        clearButtonProps={{ 'aria-label': t('filter.clearOne', { name: select.label }) }}
      />
    </Grid.Col>
  )
}

export interface FilterTextProps extends FieldProps {
  readonly value: string
  readonly placeholder: string
  readonly onChange: (value: string) => void
  readonly error?: ReactNode
  readonly leftSection?: ReactNode
}

export function FilterText({ span, onChange, ...input }: FilterTextProps) {
  const { t } = useKitText()
  return (
    <Grid.Col span={span}>
      <TextInput
        {...input}
        onChange={(event) => onChange(event.currentTarget.value)}
        rightSection={
          input.value && (
            <CloseButton
              size="sm"
              aria-label={t('filter.clearOne', { name: input.label })}
              onClick={() => onChange('')}
            />
          )
        }
        autoComplete="off"
        spellCheck={false}
      />
    </Grid.Col>
  )
}
