import { Anchor, Box, Code, Collapse, Group, List, Paper, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconShieldCheck } from '@tabler/icons-react'
import { CopyText } from '../../kit/copy-button.tsx'
import { Time } from '../../kit/time.tsx'
import type { AuditHead } from './queries.ts'
import { useText } from './text.ts'

/** How far the log is sealed, and what that means. */
export function Chain({ head }: { readonly head: AuditHead | null | undefined }) {
  const { t } = useText()
  const [opened, { toggle }] = useDisclosure()
  return (
    <Paper withBorder p="sm" bg="var(--sluice-surface)" component="section" aria-label={t('chain')}>
      <Group gap="sm" wrap="nowrap" align="flex-start">
        <IconShieldCheck
          size={20}
          color="var(--mantine-color-green-7)"
          style={{ flexShrink: 0, marginTop: 2 }}
          aria-hidden
        />
        <Box flex={1} miw={0}>
          <Group gap="4px 12px" justify="space-between">
            <Text size="sm" component="div">
              {head ? (
                <>
                  {t('chain.sealed', { number: head.number })} <Time at={head.sealed_at} relative />
                </>
              ) : (
                t('chain.unsealed')
              )}
            </Text>
            <Anchor
              component="button"
              type="button"
              size="sm"
              onClick={toggle}
              aria-expanded={opened}
              aria-controls="chain-text"
            >
              {t(opened ? 'chain.less' : 'chain.more')}
            </Anchor>
          </Group>
          <Collapse expanded={opened} id="chain-text">
            <List size="sm" mt="xs" spacing={6} pr="md">
              <List.Item>{t('chain.append')}</List.Item>
              <List.Item>{t('chain.hash')}</List.Item>
              <List.Item>{t('chain.keep')}</List.Item>
            </List>
            {head && (
              <Box mt="sm">
                <Text size="xs" c="dimmed">
                  {t('chain.head')}
                </Text>
                <CopyText value={head.head} what={t('chain.head')} />
                <Text size="xs" c="dimmed" mt={6}>
                  {t('chain.verify')}
                </Text>
                <Code style={{ overflowWrap: 'anywhere' }}>sluice audit verify --expect-head {head.head}</Code>
              </Box>
            )}
          </Collapse>
        </Box>
      </Group>
    </Paper>
  )
}
