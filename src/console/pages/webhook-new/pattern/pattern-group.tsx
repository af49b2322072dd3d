import { ActionIcon, Box, Button, Code, Group, NativeSelect, Stack, Text, Tooltip } from '@mantine/core'
import { IconFolderPlus, IconPlus, IconTrash, IconX } from '@tabler/icons-react'
import type { FlowChoice } from '../queries.ts'
import { useText } from '../text.ts'
import { emptyTest, type GroupNode, group as groupOf, type Join, joins, type PatternNode } from './pattern.ts'
import { PatternTest } from './pattern-test.tsx'

export interface PatternPartProps {
  readonly flows: readonly FlowChoice[]
  readonly variables: readonly string[]
  readonly teams: readonly string[]
  /** Changes the node with this key, or takes it out. */
  readonly onChange: (key: string, change: (node: PatternNode) => PatternNode | null) => void
}

export interface PatternGroupProps extends PatternPartProps {
  readonly group: GroupNode
  readonly isRoot?: boolean
}

/** How deep groups may be put into each other here; the API takes twelve levels. */
const deepest = 4

/** Conditions that hold together: all, any, none, or not all of them. */
export function PatternGroup({ group, isRoot = false, ...props }: PatternGroupProps) {
  return <Level group={group} isRoot={isRoot} depth={1} {...props} />
}

function Level({ group, isRoot = false, depth, ...props }: PatternGroupProps & { readonly depth: number }) {
  const { t } = useText()
  const { onChange } = props
  const add = (node: PatternNode) =>
    onChange(group.key, (before) => ({ ...(before as GroupNode), of: [...(before as GroupNode).of, node] }))
  return (
    <Box
      role="group"
      aria-label={t(`join.${group.join}`)}
      p="sm"
      style={{
        border: '1px solid var(--sluice-line)',
        borderInlineStart: '3px solid var(--mantine-primary-color-filled)',
        borderRadius: 'var(--mantine-radius-md)',
        background: depth % 2 === 0 ? 'var(--sluice-page)' : 'var(--sluice-surface)',
      }}
    >
      <Stack gap="xs">
        <Group justify="space-between" wrap="nowrap" gap="xs">
          <NativeSelect
            size="xs"
            aria-label={t('join')}
            value={group.join}
            onChange={({ currentTarget: { value } }) =>
              onChange(group.key, (before) => ({ ...(before as GroupNode), join: value as Join }))
            }
            data={joins.map((join) => ({ value: join, label: t(`join.${join}`) }))}
          />
          {!isRoot && (
            <RemoveButton label={t('group.remove')} onClick={() => onChange(group.key, () => null)} isGroup />
          )}
        </Group>
        {group.of.map((node) =>
          node.is === 'group' ? (
            <Level key={node.key} group={node} depth={depth + 1} {...props} />
          ) : node.is === 'raw' ? (
            <Group key={node.key} gap="xs" wrap="nowrap" justify="space-between" align="flex-start">
              <Box miw={0}>
                <Code style={{ overflowWrap: 'anywhere' }}>{JSON.stringify(node.json)}</Code>
                <Text size="xs" c="dimmed">
                  {t('pattern.raw')}
                </Text>
              </Box>
              <RemoveButton label={t('test.remove')} onClick={() => onChange(node.key, () => null)} />
            </Group>
          ) : (
            <PatternTest key={node.key} test={node} {...props} />
          ),
        )}
        <Group gap="xs">
          <Button
            size="compact-sm"
            variant="light"
            leftSection={<IconPlus size={14} aria-hidden />}
            onClick={() => add(emptyTest('flow'))}
          >
            {t('test.add')}
          </Button>
          {depth < deepest && (
            <Button
              size="compact-sm"
              variant="subtle"
              leftSection={<IconFolderPlus size={14} aria-hidden />}
              onClick={() => add(groupOf(group.join === 'any' ? 'all' : 'any', [emptyTest('flow')]))}
            >
              {t('group.add')}
            </Button>
          )}
        </Group>
      </Stack>
    </Box>
  )
}

interface RemoveButtonProps {
  readonly label: string
  readonly onClick: () => void
  readonly isGroup?: boolean
}

export function RemoveButton({ label, onClick, isGroup = false }: RemoveButtonProps) {
  const Sign = isGroup ? IconTrash : IconX
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" aria-label={label} onClick={onClick}>
        <Sign size={16} aria-hidden />
      </ActionIcon>
    </Tooltip>
  )
}
