import { Box, Button, Code, Group, Paper, Stack, Text } from '@mantine/core'
import { useAction } from '../../api/hooks.ts'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { Said } from '../../kit/fault-text.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { textOperators, words } from './pattern/pattern.ts'
import { addDestination, type Explained, type FlowChoice } from './queries.ts'
import { useText } from './text.ts'

export interface ExplainedTargetProps {
  readonly target: Explained
  readonly flow: FlowChoice
  /** One line; what decided stays out. @default false */
  readonly isSmall?: boolean
  /** Something was changed that the answer depends on. */
  readonly onChanged: () => void
}

const reasons = [
  'no_destination',
  'integration_inactive',
  'disabled',
  'event_not_subscribed',
  'pattern_does_not_match',
  'no_deliveries',
] as const
type Reason = (typeof reasons)[number]

/** Whether an event would reach a webhook or connection, and everything that stands in the way. */
export function ExplainedTarget({ target, flow, isSmall = false, onChanged }: ExplainedTargetProps) {
  const { t } = useText()
  const { matches, is_draft, name, integration, warning } = target
  const title = is_draft ? t('explain.thisOne') : (name ?? t('explain.platform', { integration }))
  const values = { integration, flow: flow.name }
  return (
    <Paper withBorder p={isSmall ? 'xs' : 'sm'} bg="var(--sluice-surface)">
      <Group justify="space-between" gap="xs" align="flex-start">
        <Text size="sm" fw={is_draft ? 650 : 500} miw={0} style={{ overflowWrap: 'anywhere' }}>
          {title}{' '}
          {!is_draft && (
            <Text span size="xs" c="dimmed">
              {t(`target.${target.kind}`)}
            </Text>
          )}
        </Text>
        <StatusBadge tone={matches ? (warning ? 'warning' : 'good') : 'off'}>
          {t(matches ? 'explain.matches' : 'explain.matchesNot')}
        </StatusBadge>
      </Group>
      <Stack gap="xs" mt={target.reasons.length > 0 || !isSmall ? 4 : 0}>
        {warning && <Text size="sm">{t('explain.warning')}</Text>}
        {target.reasons.map(({ code, message }) => (
          <Box key={code}>
            <Text size={isSmall ? 'xs' : 'sm'} c={isSmall ? 'dimmed' : undefined}>
              {isKnown(code) ? t(`reason.${code}`, values) : <Said>{message}</Said>}
            </Text>
            {code === 'no_destination' && !isSmall && (
              <MakeDestination target={target} flow={flow} onChanged={onChanged} />
            )}
          </Box>
        ))}
        {(!isSmall || target.reasons.some(({ code }) => code === 'pattern_does_not_match')) && (
          <Clauses clauses={target.clauses} isMatch={matches} isSmall={isSmall} />
        )}
      </Stack>
    </Paper>
  )
}

function isKnown(code: string): code is Reason {
  return (reasons as readonly string[]).includes(code)
}

function MakeDestination({ target, flow, onChanged }: Pick<ExplainedTargetProps, 'target' | 'flow' | 'onChanged'>) {
  const { t } = useText()
  const add = useAction(addDestination, {
    success: t('destination.done', { integration: target.integration, flow: flow.name }),
  })
  return (
    <Stack gap="xs" mt={4}>
      <Button
        size="compact-sm"
        variant="light"
        loading={add.running}
        style={{ alignSelf: 'flex-start', maxWidth: '100%' }}
        onClick={async () => {
          if (await add.run({ flow: flow.id, integration: target.integration_id })) onChanged()
        }}
      >
        {t('destination.add')}
      </Button>
      <Text size="xs" c="dimmed">
        {t('destination.text', { flow: flow.name })}
      </Text>
      <ErrorAlert fault={add.fault} />
    </Stack>
  )
}

interface ClausesProps {
  readonly clauses: Explained['clauses']
  readonly isMatch: boolean
  readonly isSmall: boolean
}

/** The comparisons of the pattern that decided: what it asks for, and what the event has. */
function Clauses({ clauses, isMatch, isSmall }: ClausesProps) {
  const { t } = useText()
  if (clauses.length === 0) {
    if (isSmall || !isMatch) return null
    return (
      <Text size="sm" c="dimmed">
        {t('explain.everything')}
      </Text>
    )
  }
  return (
    <Box>
      {!isSmall && (
        <Text size="xs" c="dimmed" mb={4}>
          {t('explain.decided')}
        </Text>
      )}
      <Stack gap={6} component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
        {clauses.map(({ path, operator, expected, got }) => (
          <Box component="li" key={`${path} ${operator}`} fz="xs" style={{ overflowWrap: 'anywhere' }}>
            <Asked path={path} operator={operator} expected={expected} />{' '}
            <Text span size="xs" c="dimmed">
              · {t('explain.got')}
            </Text>{' '}
            <Code fz={12}>{JSON.stringify(concerned(expected, got))}</Code>
          </Box>
        ))}
      </Stack>
    </Box>
  )
}

interface AskedProps {
  readonly path: string
  readonly operator: string
  readonly expected: unknown
}

/** A comparison as the rows of the form name it; what they have no words for as it stands. */
function Asked({ path, operator, expected }: AskedProps) {
  const { t } = useText()
  const isNegated = /\._not(\.|$)/.test(path)
  const word = words.find((each) => path.endsWith(`.${each}`))
  const known = textOperators.find((each) => each === operator)
  if (word && word !== 'config' && known) {
    return (
      <>
        {isNegated && `${t('explain.not')} `}
        {t(`word.${word}`)} {t(`operator.${known}`)} <Code fz={12}>{JSON.stringify(expected)}</Code>
      </>
    )
  }
  if (word === 'config' && (operator === '_contains' || operator === '_has_key')) {
    return (
      <>
        {isNegated && `${t('explain.not')} `}
        {t(operator === '_contains' ? 'explain.contains' : 'explain.hasKey')}{' '}
        <Code fz={12}>{JSON.stringify(expected)}</Code>
      </>
    )
  }
  return <Code fz={12}>{`${path.replace(/^pattern\.?/, '')} ${operator} ${JSON.stringify(expected)}`}</Code>
}

/** Of a whole configuration only the variables that were asked for, if any of them is there. */
export function concerned(expected: unknown, got: unknown): unknown {
  if (!isObject(expected) || !isObject(got)) return got
  return Object.fromEntries(Object.entries(got).filter(([name]) => Object.hasOwn(expected, name)))
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
