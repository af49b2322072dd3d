import { Code, Stack, Text } from '@mantine/core'
import { useMemo } from 'react'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import type { ConnectorRow, SettingItem } from '../connector-parts/manifest.ts'
import { useSettings } from '../connector-parts/use-settings.ts'
import { useText } from './text.ts'

/** What it wants to be told, before anybody connects it. */
export function SettingsTable({ connector }: { readonly connector: ConnectorRow }) {
  const { t } = useText()
  const items = useSettings(connector)
  const columns = useMemo<Column<SettingItem>[]>(
    () => [
      {
        id: 'label',
        header: t('setting'),
        main: true,
        cell: ({ label, description }) => (
          <Stack gap={0}>
            <span>{label}</span>
            {description && (
              <Text size="xs" c="dimmed" component="span" fw={400}>
                {description}
              </Text>
            )}
          </Stack>
        ),
      },
      { id: 'key', header: t('setting.key'), cell: ({ key }) => <Code>{key}</Code> },
      { id: 'type', header: t('setting.type'), cell: (item) => t(`type.${typeOf(item)}`) },
      {
        id: 'needed',
        header: t('setting.needed'),
        cell: (item) =>
          item.default !== undefined
            ? t('setting.default', { value: shownDefault(item, t('yes'), t('no')) })
            : t(item.mandatory ? 'setting.mandatory' : 'setting.optional'),
      },
    ],
    [t],
  )
  if (items.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t('settings.none')}
      </Text>
    )
  }
  return <DataTable label={t('settings')} rows={items} columns={columns} rowId={({ key }) => key} />
}

function typeOf({ type, options }: SettingItem) {
  return options ? 'choice' : type
}

function shownDefault({ default: value, options }: SettingItem, yes: string, no: string): string {
  if (typeof value === 'boolean') return value ? yes : no
  return options?.find((option) => option.value === String(value))?.label ?? String(value)
}
