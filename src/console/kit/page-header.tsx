import { Anchor, Box, Group, Text, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { IconArrowLeft } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { useKitText } from './text.ts'

export interface PageHeaderProps {
  /** The page's one `h1`; also the window's title. */
  readonly title: string
  /** A sentence on what this page is for. */
  readonly description?: ReactNode
  /** Beside the title: a status, LiveDot. */
  readonly badge?: ReactNode
  /** Buttons; the one that is used most comes last, filled. */
  readonly actions?: ReactNode
  /** The list that this is a part of. */
  readonly back?: { readonly to: string; readonly label: string }
}

/** The head of every page. Its heading takes the focus after navigation, so that it is read out. */
export function PageHeader({ title, description, badge, actions, back }: PageHeaderProps) {
  const { t } = useKitText()
  useDocumentTitle(`${title} · Sluice`)
  return (
    <Box component="header" mb="lg">
      {back && (
        <Anchor
          component={Link}
          to={back.to}
          size="sm"
          display="inline-flex"
          mb={4}
          style={{ alignItems: 'center', gap: 4 }}
        >
          <IconArrowLeft size={16} aria-hidden />
          {t('back', { to: back.label })}
        </Anchor>
      )}
      <Group justify="space-between" align="flex-start" gap="sm">
        <Box flex="1 1 260px" miw={0}>
          <Group gap="sm" align="center">
            <Title order={1} id="page-title" tabIndex={-1} style={{ outline: 'none', overflowWrap: 'anywhere' }}>
              {title}
            </Title>
            {badge}
          </Group>
          {description && (
            <Text c="dimmed" size="sm" maw={720} mt={4} component="div">
              {description}
            </Text>
          )}
        </Box>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
    </Box>
  )
}
