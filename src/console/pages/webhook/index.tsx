import { Badge, Button, Group, Menu, Tabs, Text } from '@mantine/core'
import {
  IconPencil,
  IconPlayerPause,
  IconPlayerPlay,
  IconRepeat,
  IconSend,
  IconTrash,
  IconWebhookOff,
} from '@tabler/icons-react'
import { useCallback, useState } from 'react'
import { Link, useNavigate, useParams, useSearchParams } from 'react-router'
import { useAction, useLive } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { ConfirmDelete } from '../../kit/confirm-delete.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { LiveDot } from '../../kit/live-dot.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { RowMenu } from '../../kit/row-menu.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { stateOf, webhookTones } from '../webhooks/state.ts'
import { Deliveries, Exhausted } from './deliveries.tsx'
import { DeliveryDrawer } from './delivery-drawer.tsx'
import { NewsList } from './news.tsx'
import { Overview } from './overview.tsx'
import { deleteWebhook, enableWebhook, liveWebhook, type Webhook } from './queries.ts'
import { ReplayDialog } from './replay-dialog.tsx'
import { Replays } from './replays.tsx'
import { TestDialog } from './test-dialog.tsx'
import { useText } from './text.ts'

const tabs = ['overview', 'deliveries', 'exhausted', 'replays', 'news'] as const
type Tab = (typeof tabs)[number]

/** One webhook: how it fares, what was sent, what is to be worked off. `?tab=` and `?delivery=` open a part of it. */
export function Component() {
  const { t } = useText()
  const { id = '' } = useParams()
  const webhook = useLive(liveWebhook, { id })
  const row = webhook.data?.webhooks_by_pk
  return (
    <>
      <PageHeader
        title={row?.name ?? t('title')}
        description={
          row && (
            <Text span size="sm" style={{ overflowWrap: 'anywhere' }}>
              {row.url}
            </Text>
          )
        }
        badge={row && <State webhook={row} />}
        back={{ to: '/webhooks', label: t('webhooks') }}
        actions={row && <Actions webhook={row} />}
      />
      <Loaded of={webhook}>
        {({ webhooks_by_pk: found }) =>
          found ? (
            <Parts webhook={found} />
          ) : (
            <EmptyState
              icon={IconWebhookOff}
              title={t('gone')}
              action={
                <Button component={Link} to="/webhooks">
                  {t('gone.action')}
                </Button>
              }
            >
              {t('gone.text')}
            </EmptyState>
          )
        }
      </Loaded>
    </>
  )
}

function State({ webhook }: { readonly webhook: Webhook }) {
  const { t } = useText()
  const state = stateOf(webhook)
  return (
    <Group gap="sm">
      <StatusBadge tone={webhookTones[state]}>{t(`state.${state}`)}</StatusBadge>
      <LiveDot />
    </Group>
  )
}

function Parts({ webhook }: { readonly webhook: Webhook }) {
  const { t, language } = useText()
  const [search, setSearch] = useSearchParams()
  const [replaying, setReplaying] = useState(false)
  const tab = tabs.find((each) => each === search.get('tab')) ?? 'overview'
  const delivery = search.get('delivery')
  const put = useCallback(
    (name: string, value: string | null) =>
      setSearch(
        (before) => {
          if (value) before.set(name, value)
          else before.delete(name)
          return before
        },
        { replace: true },
      ),
    [setSearch],
  )
  const open = useCallback((id: string) => put('delivery', id), [put])
  const exhausted = webhook.exhausted.aggregate?.count ?? 0
  return (
    <>
      <Tabs value={tab} onChange={(next) => put('tab', next === 'overview' ? null : next)} keepMounted={false}>
        <Tabs.List mb="md" aria-label={t('parts')}>
          {tabs.map((each) => (
            <Tabs.Tab
              key={each}
              value={each}
              rightSection={
                each === 'exhausted' &&
                exhausted > 0 && (
                  <Badge size="sm" color="red" className="sluice-status">
                    {new Intl.NumberFormat(language).format(exhausted)}
                  </Badge>
                )
              }
            >
              {t(`tab.${each satisfies Tab}`)}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="overview">
          <Overview webhook={webhook} />
        </Tabs.Panel>
        <Tabs.Panel value="deliveries">
          <Deliveries webhook={webhook} onOpen={open} />
        </Tabs.Panel>
        <Tabs.Panel value="exhausted">
          <Exhausted webhook={webhook} onOpen={open} />
        </Tabs.Panel>
        <Tabs.Panel value="replays">
          <Replays webhook={webhook} onNew={() => setReplaying(true)} />
        </Tabs.Panel>
        <Tabs.Panel value="news">
          <NewsList webhook={webhook} />
        </Tabs.Panel>
      </Tabs>
      {delivery && <DeliveryDrawer id={delivery} onClose={() => put('delivery', null)} />}
      {replaying && <ReplayDialog webhook={webhook} onClose={() => setReplaying(false)} />}
    </>
  )
}

function Actions({ webhook }: { readonly webhook: Webhook }) {
  const { t } = useText()
  const { edit } = useCan()
  const [, setSearch] = useSearchParams()
  const [asking, setAsking] = useState<'test' | 'replay' | 'delete'>()
  const enable = useAction(enableWebhook, {
    success: ({ update_webhooks_by_pk: row }) => t(row?.enabled ? 'enable.done' : 'disable.done'),
    notify: true,
  })
  if (!edit) return null
  const close = () => setAsking(undefined)
  const { id, enabled } = webhook
  return (
    <>
      <Button variant="default" leftSection={<IconSend size={16} aria-hidden />} onClick={() => setAsking('test')}>
        {t('test')}
      </Button>
      <Button component={Link} to={`/webhooks/${id}/edit`} leftSection={<IconPencil size={16} aria-hidden />}>
        {t('edit')}
      </Button>
      <RowMenu label={t('moreActions')}>
        <Menu.Item leftSection={<IconRepeat size={16} aria-hidden />} onClick={() => setAsking('replay')}>
          {t('replay.new')}
        </Menu.Item>
        <Menu.Item
          leftSection={enabled ? <IconPlayerPause size={16} aria-hidden /> : <IconPlayerPlay size={16} aria-hidden />}
          onClick={() => void enable.run({ id, enabled: !enabled })}
        >
          {t(enabled ? 'disable' : 'enable')}
        </Menu.Item>
        <Menu.Item
          color="var(--mantine-color-error)"
          leftSection={<IconTrash size={16} aria-hidden />}
          onClick={() => setAsking('delete')}
        >
          {t('delete')}
        </Menu.Item>
      </RowMenu>
      {asking === 'test' && (
        <TestDialog
          webhook={webhook}
          onClose={close}
          onDelivery={(delivery) => {
            close()
            setSearch({ tab: 'deliveries', delivery }, { replace: true })
          }}
        />
      )}
      {asking === 'replay' && (
        <ReplayDialog
          webhook={webhook}
          onClose={close}
          onDone={() => setSearch({ tab: 'replays' }, { replace: true })}
        />
      )}
      {asking === 'delete' && <DeleteDialog webhook={webhook} onClose={close} />}
    </>
  )
}

function DeleteDialog({ webhook: { id, name }, onClose }: { readonly webhook: Webhook; readonly onClose: () => void }) {
  const { t } = useText()
  const navigate = useNavigate()
  const remove = useAction(deleteWebhook, { success: t('delete.done', { name }) })
  return (
    <ConfirmDelete
      title={t('delete.title', { name })}
      action={t('delete')}
      name={name}
      running={remove.running}
      fault={remove.fault}
      onClose={onClose}
      onConfirm={async () => {
        if (await remove.run({ id })) void navigate('/webhooks', { replace: true })
      }}
    >
      {t('delete.text')}
    </ConfirmDelete>
  )
}
