import { Button, Group, Paper, Stack, Text, ThemeIcon, Timeline } from '@mantine/core'
import { IconAlertTriangle, IconBell, IconCircleCheck, IconCircleX, IconSend } from '@tabler/icons-react'
import { useState } from 'react'
import { useLive } from '../../api/hooks.ts'
import { EmptyState } from '../../kit/empty-state.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { Time } from '../../kit/time.tsx'
import { liveNews, type News, type Webhook } from './queries.ts'
import { useText } from './text.ts'

const pageSize = 50

const known = {
  'webhook.test': { Icon: IconSend, color: 'gray' },
  'webhook.failing': { Icon: IconAlertTriangle, color: 'yellow' },
  'webhook.disabled': { Icon: IconCircleX, color: 'red' },
  'webhook.recovered': { Icon: IconCircleCheck, color: 'green' },
  'delivery.exhausted': { Icon: IconCircleX, color: 'red' },
} as const
type Known = keyof typeof known

/** What the team was told of this webhook. */
export function NewsList({ webhook }: { readonly webhook: Webhook }) {
  const { t } = useText()
  const [limit, setLimit] = useState(pageSize)
  const news = useLive(liveNews, { webhook: webhook.id, limit }, { keep: true })
  return (
    <Loaded of={news}>
      {({ operational_events: rows }) =>
        rows.length === 0 ? (
          <EmptyState icon={IconBell} title={t('news.none')}>
            {t('news.text')}
          </EmptyState>
        ) : (
          <Stack gap="sm">
            <Paper withBorder p="md" bg="var(--sluice-surface)">
              <Timeline bulletSize={26} lineWidth={2} active={-1}>
                {rows.map((row) => (
                  <NewsItem key={row.id} row={row} />
                ))}
              </Timeline>
            </Paper>
            {rows.length === limit && (
              <Group justify="center">
                <Button variant="default" onClick={() => setLimit(limit + pageSize)}>
                  {t('more')}
                </Button>
              </Group>
            )}
          </Stack>
        )
      }
    </Loaded>
  )
}

function NewsItem({ row: { type, detail, created_at, mailed_at }, ...rest }: { readonly row: News }) {
  const { t } = useText()
  const look = Object.hasOwn(known, type) ? known[type as Known] : { Icon: IconBell, color: 'gray' }
  const said = [detail.reason, detail.error].filter((text): text is string => typeof text === 'string' && text !== '')
  return (
    // Timeline gives its items what they need to draw the line between them.
    <Timeline.Item
      {...rest}
      bullet={
        <ThemeIcon size={26} radius="xl" variant="light" color={look.color} className="sluice-status">
          <look.Icon size={15} aria-hidden />
        </ThemeIcon>
      }
      title={
        <Text size="sm" fw={600} span>
          {Object.hasOwn(known, type) ? t(`news.${type as Known}`) : type}
        </Text>
      }
    >
      {[...new Set(said)].map((text) => (
        <Text key={text} size="sm" lang="en" style={{ overflowWrap: 'anywhere' }}>
          {text}
        </Text>
      ))}
      <Text size="xs" c="dimmed">
        <Time at={created_at} />
        {mailed_at && type !== 'webhook.test' && ` · ${t('news.mailed')}`}
      </Text>
    </Timeline.Item>
  )
}
