import { Button, Menu } from '@mantine/core'
import { IconChevronDown, IconFileExport, IconFileImport } from '@tabler/icons-react'
import { useClient } from 'urql'
import { faultOf } from '../../api/fault.ts'
import { notify } from '../../api/notify.ts'
import { useTeam } from '../../app/context.tsx'
import { FaultText } from '../../kit/fault-text.tsx'
import { exportWebhooks } from './queries.ts'
import { useText } from './text.ts'

/** All webhooks of the team as a file, and the other way round. */
export function TransferMenu({ onImport }: { readonly onImport: () => void }) {
  const { t } = useText()
  const team = useTeam()
  const client = useClient()
  const save = async (format: 'json' | 'csv') => {
    const { data, error } = await client
      .query(exportWebhooks, { team: team.id, format }, { requestPolicy: 'network-only' })
      .toPromise()
    if (!data) return notify('failed', <FaultText fault={faultOf(error)} />)
    download(
      data.export_webhooks,
      `webhooks-${team.slug}.${format}`,
      format === 'json' ? 'application/json' : 'text/csv',
    )
  }
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" rightSection={<IconChevronDown size={16} aria-hidden />}>
          {t('transfer')}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconFileImport size={16} aria-hidden />} onClick={onImport}>
          {t('import')}
        </Menu.Item>
        {(['json', 'csv'] as const).map((format) => (
          <Menu.Item
            key={format}
            leftSection={<IconFileExport size={16} aria-hidden />}
            onClick={() => void save(format)}
          >
            {t('export', { format: format.toUpperCase() })}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

function download(text: string, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
