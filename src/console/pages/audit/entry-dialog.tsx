import { Code, DataList, Modal, ScrollArea, Stack, Text } from '@mantine/core'
import type { ReactNode } from 'react'
import { useRead } from '../../api/hooks.ts'
import { CopyText } from '../../kit/copy-button.tsx'
import { JsonView } from '../../kit/json-view.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { Actor, Sessions } from './entry-list.tsx'
import { type EntryRow, entryDetail } from './queries.ts'
import { useText } from './text.ts'

export interface EntryDialogProps {
  readonly row: EntryRow
  readonly names: ReadonlyMap<string, string>
  readonly sealedTo: string | null
  readonly onClose: () => void
}

/** All that the log says of one event. */
export function EntryDialog({ row, names, sealedTo, onClose }: EntryDialogProps) {
  const { t } = useText()
  const detail = useRead(entryDetail, { id: row.id })
  const isSealed = sealedTo !== null && row.position <= sealedTo
  const line = (label: string, value: ReactNode) => (
    <DataList.Item>
      <DataList.ItemLabel w={112}>{label}</DataList.ItemLabel>
      <DataList.ItemValue style={{ minWidth: 0, overflowWrap: 'anywhere' }}>{value}</DataList.ItemValue>
    </DataList.Item>
  )
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={row.operation}
      scrollAreaComponent={ScrollArea.Autosize}
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <Stack>
        <DataList gap={8} labelWidth={112}>
          {line(t('at'), <Time at={row.at} />)}
          {line(t('actor'), <Actor row={row} names={names} />)}
          {row.actor_id && line(t('actorId'), <CopyText value={row.actor_id} what={t('actorId')} />)}
          {line(t('outcome'), t(`outcome.${row.outcome}`))}
          {row.session_ids.length > 0 && line(t('sessions'), <Sessions ids={row.session_ids} all />)}
          {line(
            t('seal'),
            <StatusBadge tone={isSealed ? 'good' : 'waiting'}>{t(isSealed ? 'seal.yes' : 'seal.notYet')}</StatusBadge>,
          )}
        </DataList>
        <Loaded of={detail}>
          {({ audit_entries_by_pk: found }) => (
            <>
              <DataList gap={8} labelWidth={112}>
                {line(t('address'), found?.address ?? t('unknown'))}
                {found?.request_id && line(t('request'), <CopyText value={found.request_id} what={t('request')} />)}
                {line(t('entry'), <Code style={{ overflowWrap: 'anywhere' }}>{row.id}</Code>)}
              </DataList>
              {found?.detail !== null && found?.detail !== undefined && Object.keys(found.detail).length > 0 && (
                <div>
                  <Text size="sm" fw={600} mb={4}>
                    {t('detail')}
                  </Text>
                  <JsonView value={found.detail} label={t('detail')} maxHeight={280} />
                </div>
              )}
            </>
          )}
        </Loaded>
      </Stack>
    </Modal>
  )
}
