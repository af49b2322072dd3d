import { Button, Group, NativeSelect, TextInput } from '@mantine/core'
import { useDebouncedValue, useDisclosure } from '@mantine/hooks'
import { IconPlus, IconSearch, IconWebhook } from '@tabler/icons-react'
import { useState } from 'react'
import { Link, useSearchParams } from 'react-router'
import { useLive } from '../../api/hooks.ts'
import { useWaiting } from '../../api/use-waiting.ts'
import { useCan, useOwner } from '../../app/context.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { LiveDot } from '../../kit/live-dot.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { ExplainedSession } from './explained-session.tsx'
import { ImportDialog } from './import-dialog.tsx'
import { liveWebhooks, type WebhooksWhere } from './queries.ts'
import { likeText, type WebhookFilter, webhookFilters, whereState } from './state.ts'
import { useText } from './text.ts'
import { TransferMenu } from './transfer-menu.tsx'
import { WebhookList } from './webhook-list.tsx'

const pageSize = 50

/** The team's webhooks, or the platform's, and how each fares. `?state=` and `?q=` filter; `?explain=<session>` tells who gets it. */
export function Component() {
  const { t } = useText()
  const { team, rows: owner } = useOwner()
  const { edit } = useCan()
  const [search, setSearch] = useSearchParams()
  const [limit, setLimit] = useState(pageSize)
  const [importing, { open, close }] = useDisclosure()
  const state = webhookFilters.find((each) => each === search.get('state'))
  const text = search.get('q') ?? ''
  const explained = search.get('explain')
  const [wanted] = useDebouncedValue(text.trim(), 250)
  const webhooks = useLive(liveWebhooks, { where: whereOf(owner, state, wanted), limit }, { keep: true })
  const waiting = useWaiting(team?.id)
  const isFiltered = state !== undefined || wanted !== ''
  const put = (name: string, value: string) =>
    setSearch(
      (before) => {
        if (value) before.set(name, value)
        else before.delete(name)
        return before
      },
      { replace: true },
    )
  const create = edit && (
    <Button component={Link} to="/webhooks/new" leftSection={<IconPlus size={18} aria-hidden />}>
      {t('create')}
    </Button>
  )
  return (
    <>
      <PageHeader
        title={t('title')}
        description={t(team ? 'description' : 'platform.description')}
        badge={<LiveDot />}
        actions={
          edit && (
            <>
              {team && <TransferMenu onImport={open} />}
              {create}
            </>
          )
        }
      />
      {explained && edit && team && <ExplainedSession id={explained} onClose={() => put('explain', '')} />}
      <Loaded of={webhooks}>
        {({ webhooks: rows }) =>
          rows.length === 0 && !isFiltered ? (
            <EmptyState icon={IconWebhook} title={t('empty.title')} action={create}>
              {t('empty.text')}
            </EmptyState>
          ) : (
            <>
              <Group gap="sm">
                <TextInput
                  aria-label={t('search')}
                  placeholder={t('search')}
                  leftSection={<IconSearch size={16} aria-hidden />}
                  value={text}
                  onChange={(event) => put('q', event.currentTarget.value)}
                  flex="1 1 220px"
                  maw={360}
                />
                <NativeSelect
                  aria-label={t('state')}
                  value={state ?? ''}
                  onChange={(event) => put('state', event.currentTarget.value)}
                  data={[
                    { value: '', label: t('state.all') },
                    ...webhookFilters.map((each) => ({ value: each as string, label: t(`state.${each}`) })),
                  ]}
                />
              </Group>
              <WebhookList
                rows={rows}
                waiting={waiting}
                empty={
                  <EmptyState
                    icon={IconSearch}
                    title={t('none.title')}
                    action={
                      <Button variant="default" onClick={() => setSearch({}, { replace: true })}>
                        {t('none.action')}
                      </Button>
                    }
                  >
                    {t('none.text')}
                  </EmptyState>
                }
                onMore={rows.length === limit ? () => setLimit(limit + pageSize) : undefined}
              />
            </>
          )
        }
      </Loaded>
      {importing && <ImportDialog onClose={close} />}
    </>
  )
}

function whereOf(owner: object, state: WebhookFilter | undefined, text: string): WebhooksWhere {
  return {
    team_id: owner,
    ...(state ? whereState(state) : {}),
    ...(text ? { _or: [{ name: { _ilike: likeText(text) } }, { url: { _ilike: likeText(text) } }] } : {}),
  }
}
