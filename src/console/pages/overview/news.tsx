import { Anchor, Box, Group, Stack, Text } from '@mantine/core'
import { IconAlertTriangle, IconCircleCheck, IconCircleX } from '@tabler/icons-react'
import { Link } from 'react-router'
import { Loaded, type LoadedProps } from '../../kit/loaded.tsx'
import { Section } from '../../kit/section.tsx'
import { Time } from '../../kit/time.tsx'
import type en from './en.json'
import type { NewsRow } from './queries.ts'
import { useText } from './text.ts'

type NewsKey = Extract<keyof typeof en, `news.type.${string}`>
const types: Readonly<Record<string, NewsKey>> = {
  'webhook.failing': 'news.type.failing',
  'connection.failing': 'news.type.failing',
  'webhook.disabled': 'news.type.disabled',
  'connection.disabled': 'news.type.disabled',
  'webhook.recovered': 'news.type.recovered',
  'connection.recovered': 'news.type.recovered',
  'connection.modifier_loop': 'news.type.loop',
  'connection.payload_missing': 'news.type.missing',
  'delivery.exhausted': 'news.type.exhausted',
}

/** What the team was told of lately. */
export function News({ of }: { readonly of: LoadedProps<{ operational_events: NewsRow[] }>['of'] }) {
  const { t } = useText()
  return (
    <Section title={t('news')} framed>
      <Loaded of={of}>
        {({ operational_events: rows }) =>
          rows.length === 0 ? (
            <Text size="sm" c="dimmed">
              {t('news.none')}
            </Text>
          ) : (
            <Stack gap="sm" component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
              {rows.map((row) => (
                <NewsLine key={row.id} row={row} />
              ))}
            </Stack>
          )
        }
      </Loaded>
    </Section>
  )
}

function NewsLine({ row: { type, created_at, error, webhook, connection } }: { readonly row: NewsRow }) {
  const { t } = useText()
  const target = webhook ?? connection
  const key = types[type]
  const isGood = type.endsWith('.recovered')
  const isWarning = type.endsWith('.failing') || type.startsWith('connection.p')
  const Sign = isGood ? IconCircleCheck : isWarning ? IconAlertTriangle : IconCircleX
  const color = isGood
    ? 'var(--mantine-color-green-7)'
    : isWarning
      ? 'var(--mantine-color-yellow-7)'
      : 'var(--mantine-color-error)'
  return (
    <Group component="li" gap="sm" wrap="nowrap" align="flex-start">
      <Sign size={18} aria-hidden color={color} style={{ flexShrink: 0, marginTop: 2 }} />
      <Box miw={0} flex={1}>
        <Group justify="space-between" gap="4px 12px" align="baseline">
          <Text size="sm" component="span" style={{ overflowWrap: 'anywhere' }}>
            {target && (
              <Anchor component={Link} to={`/${webhook ? 'webhooks' : 'connections'}/${target.id}`} fw={550} inherit>
                {target.name}
              </Anchor>
            )}{' '}
            {key ? t(key) : type}
          </Text>
          <Text size="xs" c="dimmed" component="span">
            <Time at={created_at} relative />
          </Text>
        </Group>
        {typeof error === 'string' && (
          <Text size="xs" c="dimmed" lineClamp={2} style={{ overflowWrap: 'anywhere' }}>
            {error}
          </Text>
        )}
      </Box>
    </Group>
  )
}
