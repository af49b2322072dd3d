import { Button, Menu } from '@mantine/core'
import { IconChevronDown, IconDownload } from '@tabler/icons-react'
import { useState } from 'react'
import { faultOf } from '../../api/fault.ts'
import { notify } from '../../api/notify.ts'
import { useCan, useSignIn } from '../../app/context.tsx'
import { FaultText } from '../../kit/fault-text.tsx'
import { exportLog, type Format } from './export-log.ts'
import { type Filter, fromOf } from './filter.ts'
import { useText } from './text.ts'

/** The log as a file, of the chosen time. */
export function ExportMenu({ filter }: { readonly filter: Filter }) {
  const { t } = useText()
  const { role } = useCan()
  const signIn = useSignIn()
  const [running, setRunning] = useState(false)
  const save = async (format: Format) => {
    setRunning(true)
    try {
      await exportLog({ signIn, role, format, from: fromOf(filter, Date.now()) })
      void notify('done', t('export.done'))
    } catch (error) {
      void notify('failed', <FaultText fault={faultOf(error)} />)
    }
    setRunning(false)
  }
  return (
    <Menu position="bottom-end" width={280}>
      <Menu.Target>
        <Button
          variant="default"
          loading={running}
          leftSection={<IconDownload size={18} aria-hidden />}
          rightSection={<IconChevronDown size={16} aria-hidden />}
        >
          {t('export')}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {t(role === 'admin' ? 'export.admin' : 'export.editor')}{' '}
          {t(filter.span ? `export.${filter.span}` : 'export.all')}
        </Menu.Label>
        <Menu.Item onClick={() => void save('csv')}>{t('export.csv')}</Menu.Item>
        <Menu.Item onClick={() => void save('jsonl')}>{t('export.jsonl')}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
