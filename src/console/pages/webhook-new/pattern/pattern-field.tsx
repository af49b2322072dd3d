import { Alert, Box, Input, JsonInput, SegmentedControl, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import type { FlowChoice } from '../queries.ts'
import { useText } from '../text.ts'
import { changed, fromJson, type GroupNode, type PatternNode, readObject, toJson } from './pattern.ts'
import { PatternGroup } from './pattern-group.tsx'

export interface PatternFieldProps {
  /** JSON. */
  readonly value: string
  readonly onChange: (value: string) => void
  readonly error?: React.ReactNode
  readonly flows: readonly FlowChoice[]
  /** Names of variables that sessions have. */
  readonly variables: readonly string[]
  /** Slugs, to be offered. */
  readonly teams: readonly string[]
}

/** A pattern, as rows or as JSON. Who changes one finds it in the other. */
export function PatternField({ value, onChange, error, flows, variables, teams }: PatternFieldProps) {
  const { t } = useText()
  const read = readObject(value)
  const [view, setView] = useState<'rows' | 'json'>(read ? 'rows' : 'json')
  const [tree, setTree] = useState<GroupNode>(() => fromJson(read ?? {}))
  const write = (next: GroupNode) => {
    setTree(next)
    onChange(JSON.stringify(toJson(next), null, 2))
  }
  const show = (next: string) => {
    if (next === 'rows') {
      // Rows can only be made of JSON that can be read; the field says what is wrong.
      if (!read) return
      setTree(fromJson(read))
    }
    setView(next as typeof view)
  }
  return (
    <Input.Wrapper
      label={t('pattern')}
      description={t('pattern.hint')}
      error={error}
      labelElement="div"
      inputWrapperOrder={['label', 'description', 'input', 'error']}
    >
      <Stack gap="xs" mt={6}>
        <SegmentedControl
          size="xs"
          aria-label={t('pattern.view')}
          data={[
            { value: 'rows', label: t('pattern.rows') },
            { value: 'json', label: t('pattern.json') },
          ]}
          value={view}
          onChange={show}
          style={{ alignSelf: 'flex-start' }}
        />
        {view === 'json' ? (
          <Box>
            <JsonInput
              aria-label={t('pattern.jsonLabel')}
              value={value}
              onChange={onChange}
              formatOnBlur
              autosize
              minRows={6}
              maxRows={20}
              error={!read && t('json.invalid')}
              styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
              spellCheck={false}
            />
            <Text size="xs" c="dimmed" mt={4}>
              {t('pattern.jsonHint')}
            </Text>
          </Box>
        ) : (
          <>
            <PatternGroup
              group={tree}
              isRoot
              flows={flows}
              variables={variables}
              teams={teams}
              onChange={(key, change) => write(changed<PatternNode>(tree, key, change))}
            />
            {tree.of.length === 0 && (
              <Alert color="gray" variant="light" p="xs">
                <Text size="sm">{t('pattern.everything')}</Text>
              </Alert>
            )}
          </>
        )}
      </Stack>
    </Input.Wrapper>
  )
}
