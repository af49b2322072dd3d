import { Button, Flex, Input, PasswordInput, Stack, TextInput } from '@mantine/core'
import { IconPlus } from '@tabler/icons-react'
import { type HeaderRow, headerRow } from './form.ts'
import { RemoveButton } from './pattern/pattern-group.tsx'
import { useText } from './text.ts'

export interface HeaderRowsProps {
  readonly label: string
  readonly description: string
  readonly rows: readonly HeaderRow[]
  readonly onChange: (rows: HeaderRow[]) => void
  readonly error?: React.ReactNode
  /** Values are hidden while they are written. @default false */
  readonly secret?: boolean
}

/** Names and values of headers. */
export function HeaderRows({ label, description, rows, onChange, error, secret = false }: HeaderRowsProps) {
  const { t } = useText()
  const put = (key: string, part: Partial<HeaderRow>) =>
    onChange(rows.map((row) => (row.key === key ? { ...row, ...part } : row)))
  return (
    <Input.Wrapper
      label={label}
      description={description}
      error={error}
      labelElement="div"
      inputWrapperOrder={['label', 'description', 'input', 'error']}
    >
      <Stack gap="xs" mt={6} role="group" aria-label={label}>
        {rows.map(({ key, name, value }, index) => {
          const number = index + 1
          const common = {
            'aria-label': t('header.value', { number }),
            value,
            onChange: (event: React.ChangeEvent<HTMLInputElement>) => put(key, { value: event.currentTarget.value }),
            autoComplete: 'off',
            flex: '1 1 140px',
            miw: 0,
          } as const
          return (
            <Flex key={key} gap="xs" align="center">
              <Flex gap="xs" wrap="wrap" flex={1} miw={0}>
                <TextInput
                  aria-label={t('header.name', { number })}
                  placeholder={secret ? 'authorization' : 'x-office'}
                  value={name}
                  onChange={(event) => put(key, { name: event.currentTarget.value })}
                  autoComplete="off"
                  flex="1 1 140px"
                  miw={0}
                />
                {secret ? (
                  <PasswordInput
                    {...common}
                    visibilityToggleButtonProps={{ 'aria-label': t('header.reveal', { number }), tabIndex: 0 }}
                  />
                ) : (
                  <TextInput {...common} />
                )}
              </Flex>
              <RemoveButton
                label={t('header.remove', { number })}
                onClick={() => onChange(rows.filter((row) => row.key !== key))}
              />
            </Flex>
          )
        })}
        <Button
          size="compact-sm"
          variant="light"
          leftSection={<IconPlus size={14} aria-hidden />}
          onClick={() => onChange([...rows, headerRow()])}
          style={{ alignSelf: 'flex-start' }}
        >
          {t(secret ? 'secretHeader.add' : 'header.add')}
        </Button>
      </Stack>
    </Input.Wrapper>
  )
}
