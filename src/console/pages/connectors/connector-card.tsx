import { Anchor, Badge, Box, Button, Divider, Group, Paper, Stack, Text } from '@mantine/core'
import { IconPlugConnected, IconShieldCheck } from '@tabler/icons-react'
import { Link } from 'react-router'
import { useCan, useOwner } from '../../app/context.tsx'
import { servesAll, titleOf } from '../connector-parts/manifest.ts'
import { PermissionList } from '../connector-parts/permissions.tsx'
import { Presentation, useKindName } from '../connector-parts/presentation.tsx'
import { ReviewState } from '../connector-parts/states.tsx'
import type { MarketEntry } from './market.ts'
import { useText } from './text.ts'

/** The guide's standard layout, what it may do, and what the person can do with it. */
export function ConnectorCard({ entry }: { readonly entry: MarketEntry }) {
  const { t, language } = useText()
  const { edit, administer } = useCan()
  const { team } = useOwner()
  const kindName = useKindName()
  const { shown, waiting, connections } = entry
  const { name } = titleOf(shown, language)
  const isApproved = shown.status === 'approved'
  const [toReview] = waiting
  return (
    <Paper
      component="article"
      aria-label={name}
      withBorder
      p="md"
      bg="var(--sluice-surface)"
      style={{ display: 'flex', flexDirection: 'column' }}
    >
      <Stack gap="sm" flex={1}>
        <Presentation
          connector={shown}
          linked
          heading={2}
          badge={isApproved ? undefined : <ReviewState status={shown.status} />}
        />
        <Group gap={6}>
          {shown.kinds.map((kind) => (
            <Badge key={kind} color="gray" className="sluice-status">
              {kindName(kind)}
            </Badge>
          ))}
          {shown.license && (
            <Text size="xs" c="dimmed" component="span">
              {t('license', { license: shown.license })}
            </Text>
          )}
        </Group>
        <Divider />
        <PermissionList connector={shown} />
      </Stack>
      <Group justify="space-between" mt="md" gap="sm">
        <Box fz="sm">
          {connections.length === 1 && connections[0] ? (
            <Anchor component={Link} to={`/connections/${connections[0].id}`} size="sm">
              {t('connectedAs', { name: connections[0].name })}
            </Anchor>
          ) : connections.length > 1 ? (
            <Anchor component={Link} to={`/connectors/${shown.id}`} size="sm">
              {t('connected', { count: connections.length })}
            </Anchor>
          ) : (
            <Text size="sm" c="dimmed" component="span">
              {t('notConnected')}
            </Text>
          )}
        </Box>
        <Group gap="xs">
          {administer && toReview && (
            <Button
              component={Link}
              to={`/connectors/${toReview.id}`}
              variant={isApproved ? 'default' : 'filled'}
              leftSection={<IconShieldCheck size={18} aria-hidden />}
              aria-label={t('reviewOf', { name, version: toReview.version })}
            >
              {t('review', { version: toReview.version })}
            </Button>
          )}
          {edit && isApproved && (team || servesAll(shown.kinds)) && (
            <Button
              component={Link}
              to={`/connections/new?connector=${shown.id}`}
              variant="light"
              leftSection={<IconPlugConnected size={18} aria-hidden />}
              aria-label={t('connectOf', { name })}
            >
              {t('connect')}
            </Button>
          )}
        </Group>
      </Group>
    </Paper>
  )
}
