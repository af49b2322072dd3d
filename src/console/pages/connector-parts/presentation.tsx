import { Anchor, Box, Group, Stack, Text, Title } from '@mantine/core'
import { IconExternalLink, IconPlug } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { type ConnectorKind, type ConnectorRow, titleOf } from './manifest.ts'
import { usePartsText } from './text.ts'

/** The connector's picture in a box of 70 by 70 pixels at most, as the extension guide has it; a plug without one. */
export function Logo({ of, size = 70 }: { readonly of: Pick<ConnectorRow, 'logo'>; readonly size?: number }) {
  return (
    <Box
      w={size}
      h={size}
      flex={`0 0 ${size}px`}
      style={{
        display: 'grid',
        placeItems: 'center',
        borderRadius: 'var(--mantine-radius-md)',
        // Pictures of third parties are made for white paper.
        background: of.logo ? '#fff' : 'color-mix(in srgb, currentcolor 7%, transparent)',
        border: of.logo ? '1px solid var(--sluice-line)' : undefined,
        overflow: 'hidden',
      }}
    >
      {of.logo ? (
        <img src={of.logo} alt="" style={{ maxWidth: Math.min(70, size - 2), maxHeight: Math.min(70, size - 2) }} />
      ) : (
        <IconPlug size={size * 0.5} aria-hidden opacity={0.6} />
      )}
    </Box>
  )
}

export interface PresentationProps {
  readonly connector: ConnectorRow
  /** Makes the name a link to the connector's page. @default false */
  readonly linked?: boolean
  /** Beside the name. */
  readonly badge?: ReactNode
  /** Without a heading, where the page's own says the name. @default 3 */
  readonly heading?: 2 | 3 | null
}

/** The extension guide's standard layout: logo, name, author, version, description and "More". */
export function Presentation({ connector, linked = false, badge, heading = 3 }: PresentationProps) {
  const { t, language } = usePartsText()
  const { name, text } = titleOf(connector, language)
  const { url } = connector.manifest
  return (
    <Group align="flex-start" wrap="nowrap" gap="md">
      <Logo of={connector} />
      <Stack gap={4} miw={0} flex={1}>
        {heading && (
          <Group gap="xs">
            <Title order={heading} size="h3" style={{ overflowWrap: 'anywhere' }}>
              {linked ? (
                <Anchor component={Link} to={`/connectors/${connector.id}`} inherit>
                  {name}
                </Anchor>
              ) : (
                name
              )}
            </Title>
            {badge}
          </Group>
        )}
        <Text size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          {t('by', { author: connector.author, version: connector.version })}
        </Text>
        <Text size="sm" maw={720} style={{ overflowWrap: 'anywhere' }}>
          {text}
          {url && (
            <>
              {' '}
              <Outward href={url} label={t('moreOf', { name })}>
                {t('more')}
              </Outward>
            </>
          )}
        </Text>
      </Stack>
    </Group>
  )
}

export interface OutwardProps {
  readonly href: string
  /** For screen readers, where the words alone say too little. */
  readonly label?: string
  readonly children: ReactNode
}

/** A link to a third party's page, which learns nothing of where it was followed. */
export function Outward({ href, label, children }: OutwardProps) {
  return (
    <Anchor
      href={href}
      target="_blank"
      rel="noopener noreferrer"
      inherit
      underline="always"
      aria-label={label}
      style={{ whiteSpace: 'nowrap' }}
    >
      {children} <IconExternalLink size={14} aria-hidden style={{ verticalAlign: '-2px' }} />
    </Anchor>
  )
}

/** What a kind does, in a word or two. */
export function useKindName(): (kind: ConnectorKind) => string {
  const { t } = usePartsText()
  return (kind) => t(`kind.${kind}`)
}
