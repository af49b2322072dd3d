import { ActionIcon, Button, Group, Input, Stack, TextInput } from '@mantine/core'
import { IconPlus, IconX } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { useKitText } from './text.ts'
import type { VariableRow } from './variables.ts'

export interface VariablesInputProps {
  readonly label: string
  readonly description?: string
  readonly value?: readonly VariableRow[]
  readonly onChange?: (rows: VariableRow[]) => void
  readonly error?: ReactNode
}

/** Names and values of a `config`; `configOf` makes it of the rows. */
export function VariablesInput({ label, description, value = [], onChange, error }: VariablesInputProps) {
  const { t } = useKitText()
  const change = (index: number, part: Partial<VariableRow>) =>
    onChange?.(value.map((row, at) => (at === index ? { ...row, ...part } : row)))
  return (
    <Input.Wrapper label={label} description={description} error={error} labelElement="div">
      <Stack gap="xs" mt={6}>
        {value.map((row, index) => (
          <Group key={index} gap="xs" wrap="nowrap">
            <TextInput
              flex={2}
              miw={0}
              aria-label={t('variables.name', { number: index + 1 })}
              placeholder={t('variables.namePlaceholder')}
              value={row.name}
              spellCheck={false}
              autoComplete="off"
              onChange={(event) => change(index, { name: event.currentTarget.value })}
            />
            <TextInput
              flex={3}
              miw={0}
              aria-label={t('variables.value', { number: index + 1 })}
              placeholder={t('variables.valuePlaceholder')}
              value={row.value}
              spellCheck={false}
              autoComplete="off"
              onChange={(event) => change(index, { value: event.currentTarget.value })}
            />
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={t('variables.remove', { number: index + 1 })}
              onClick={() => onChange?.(value.filter((_, at) => at !== index))}
            >
              <IconX size={16} aria-hidden />
            </ActionIcon>
          </Group>
        ))}
        <Group>
          <Button
            size="compact-sm"
            variant="subtle"
            leftSection={<IconPlus size={14} aria-hidden />}
            onClick={() => onChange?.([...value, { name: '', value: '' }])}
          >
            {t('variables.add')}
          </Button>
        </Group>
      </Stack>
    </Input.Wrapper>
  )
}
