import {
  ActionIcon,
  Box,
  CloseButton,
  Code,
  Group,
  Highlight,
  Text,
  TextInput,
  Tooltip,
  Tree,
  useTree,
} from '@mantine/core'
import { IconChevronRight, IconFoldDown, IconFoldUp, IconSearch } from '@tabler/icons-react'
import { useMemo, useState } from 'react'
import { CopyButton } from './copy-button.tsx'
import { allPointers, type JsonNode, jsonNodes, openAt, searchJson } from './json-nodes.ts'
import { useKitText } from './text.ts'

export interface JsonTreeProps {
  readonly value: unknown
  /** What it is, for screen readers and the copy button: "the data". */
  readonly label: string
  /** Scrolls beyond, in px. @default 560 */
  readonly maxHeight?: number
}

/** So many open by themselves; a value with more shows its first level. */
const openAtFirst = 60
/** Beyond it, everything at once would stall the browser. */
const mostAtOnce = 3_000

/** A large JSON value: opens and closes, searches in names and values, copies. For small ones there is `JsonView`. */
export function JsonTree({ value, label, maxHeight = 560 }: JsonTreeProps) {
  const { t } = useKitText()
  const [search, setSearch] = useState('')
  const nodes = useMemo(() => jsonNodes(value), [value])
  const pointers = useMemo(() => allPointers(nodes), [nodes])
  const found = useMemo(() => searchJson(nodes, search), [nodes, search])
  const [expanded, setExpanded] = useState(() => openAt(nodes, pointers.length > openAtFirst ? 1 : 2))
  const tree = useTree({
    expandedState: search.trim() ? found.open : expanded,
    onExpandedStateChange: (state) => !search.trim() && setExpanded(state),
  })
  const shown = search.trim() ? found.nodes : nodes
  return (
    <Box>
      <Group gap="xs" mb="xs" wrap="nowrap">
        <TextInput
          flex={1}
          size="xs"
          aria-label={t('json.search', { what: label })}
          placeholder={t('json.searchHint')}
          leftSection={<IconSearch size={14} aria-hidden />}
          rightSection={
            search && <CloseButton size="xs" aria-label={t('json.searchClear')} onClick={() => setSearch('')} />
          }
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          autoComplete="off"
          spellCheck={false}
        />
        <Tooltip label={t('json.openAll')}>
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={t('json.openAll')}
            disabled={pointers.length > mostAtOnce}
            onClick={() => setExpanded(openAt(nodes, Number.POSITIVE_INFINITY))}
          >
            <IconFoldDown size={16} aria-hidden />
          </ActionIcon>
        </Tooltip>
        <Tooltip label={t('json.closeAll')}>
          <ActionIcon variant="subtle" color="gray" aria-label={t('json.closeAll')} onClick={() => setExpanded({})}>
            <IconFoldUp size={16} aria-hidden />
          </ActionIcon>
        </Tooltip>
        <CopyButton value={JSON.stringify(value, null, 2) ?? ''} what={label} />
      </Group>
      <Text size="xs" c="dimmed" role="status" mb={search.trim() ? 'xs' : 0}>
        {search.trim() && t('json.found', { count: found.count })}
      </Text>
      <Box mah={maxHeight} style={{ overflow: 'auto' }}>
        {shown.length > 0 && (
          <Tree
            data={shown as never}
            tree={tree}
            levelOffset={18}
            aria-label={label}
            allowRangeSelection={false}
            renderNode={({ node, expanded, hasChildren, elementProps }) => {
              const { name, text, type } = node as unknown as JsonNode
              return (
                <Group {...elementProps} gap={6} wrap="nowrap" align="flex-start" py={2} title={node.value}>
                  <Box w={16} h={20} style={{ flexShrink: 0, display: 'grid', placeItems: 'center' }}>
                    {hasChildren && (
                      <IconChevronRight size={14} aria-hidden style={{ rotate: expanded ? '90deg' : undefined }} />
                    )}
                  </Box>
                  <Text size="sm" ff="monospace" component="div" miw={0} style={{ overflowWrap: 'anywhere' }}>
                    <Found text={name} search={search} weight={600} />
                    {': '}
                    {type === 'tree' ? (
                      <Text span size="xs" c="dimmed">
                        {text}
                      </Text>
                    ) : (
                      <Code style={{ background: 'none', padding: 0, fontSize: 'inherit', whiteSpace: 'pre-wrap' }}>
                        <Found text={text} search={search} />
                      </Code>
                    )}
                  </Text>
                </Group>
              )
            }}
          />
        )}
      </Box>
    </Box>
  )
}

function Found({ text, search, weight }: { readonly text: string; readonly search: string; readonly weight?: number }) {
  if (!search.trim()) return <span style={{ fontWeight: weight }}>{text}</span>
  return (
    <Highlight
      highlight={search.trim()}
      component="span"
      inherit
      fw={weight}
      color="yellow"
      highlightStyles={{ color: 'black', background: 'var(--mantine-color-yellow-3)' }}
    >
      {text}
    </Highlight>
  )
}
