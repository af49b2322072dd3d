import { Alert, Code, Group, List, Text } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import { useCan } from '../../app/context.tsx'
import { Said } from '../../kit/fault-text.tsx'
import { RevalidateButton } from '../sessions/session-state.tsx'
import type { Problem } from './queries.ts'
import { useText } from './text.ts'

export interface ProblemsProps {
  readonly id: string
  /** Viewers do not see them: they may quote the data. */
  readonly problems: readonly Problem[] | null | undefined
}

/** Why nobody is told of this session, and what helps. */
export function Problems({ id, problems }: ProblemsProps) {
  const { t } = useText()
  const { edit } = useCan()
  return (
    <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title={t('invalid.title')}>
      <Text size="sm">{t(edit ? 'invalid.text' : 'invalid.viewerText')}</Text>
      {problems && problems.length > 0 && (
        <List size="sm" mt="xs" spacing={4} aria-label={t('invalid.problems')}>
          {problems.map(({ path, message }, index) => (
            <List.Item key={index} style={{ overflowWrap: 'anywhere' }}>
              <Code>{path || '/'}</Code> <Said>{message}</Said>
            </List.Item>
          ))}
        </List>
      )}
      {edit && (
        <Group mt="sm">
          <RevalidateButton id={id} />
        </Group>
      )}
    </Alert>
  )
}
