import { Box, Button, Group, Paper, Text, Title } from '@mantine/core'
import { IconCircleCheckFilled, IconCircleDashed } from '@tabler/icons-react'
import { Link } from 'react-router'
import { useLive } from '../../api/hooks.ts'
import { useCan, useTeam } from '../../app/context.tsx'
import { firstDestination, firstIntegration } from './queries.ts'
import { useText } from './text.ts'

export interface FirstStepsProps {
  readonly hasTarget: boolean
  readonly hasSession: boolean
  readonly onClose: () => void
}

const addresses = {
  integration: '/integrations',
  destination: '/flows',
  target: '/webhooks/new',
  session: '/sessions',
} as const

/** What leads a new team to its first session. Each step ticks itself off as soon as it is done, by whomever. */
export function FirstSteps({ hasTarget, hasSession, onClose }: FirstStepsProps) {
  const { t } = useText()
  const team = useTeam()
  const { edit } = useCan()
  const integrations = useLive(firstIntegration, { team: team.id })
  const destinations = useLive(firstDestination, { team: team.id })
  const steps = [
    ['integration', (integrations.data?.integrations.length ?? 0) > 0],
    ['destination', (destinations.data?.destinations.length ?? 0) > 0],
    ['target', hasTarget],
    ['session', hasSession],
  ] as const
  const done = steps.filter(([, isDone]) => isDone).length
  const next = steps.find(([, isDone]) => !isDone)?.[0]
  return (
    <Paper
      component="section"
      aria-labelledby="first-steps"
      aria-busy={integrations.loading || destinations.loading}
      withBorder
      p={{ base: 'md', sm: 'lg' }}
      bg="var(--sluice-surface)"
    >
      <Group justify="space-between" align="flex-start" gap="sm" mb="md">
        <Box flex="1 1 240px">
          <Title order={2} id="first-steps">
            {t(next ? 'steps.title' : 'steps.doneTitle')}
          </Title>
          <Text size="sm" c="dimmed">
            {t(next ? (edit ? 'steps.text' : 'steps.viewerText') : 'steps.doneText')}
          </Text>
        </Box>
        <Group gap="sm">
          <Text size="sm" c="dimmed" role="status">
            {t('steps.progress', { done, all: steps.length })}
          </Text>
          {(hasSession || !next) && (
            <Button size="xs" variant="default" onClick={onClose}>
              {t('steps.close')}
            </Button>
          )}
        </Group>
      </Group>
      <Box component="ol" p={0} m={0} style={{ listStyle: 'none' }}>
        {steps.map(([step, isDone]) => (
          <Group
            key={step}
            component="li"
            gap="sm"
            align="flex-start"
            wrap="nowrap"
            py="sm"
            style={{ borderTop: '1px solid var(--sluice-line)' }}
            aria-current={step === next ? 'step' : undefined}
          >
            {isDone ? (
              <IconCircleCheckFilled
                size={24}
                color="var(--mantine-color-green-7)"
                style={{ flexShrink: 0 }}
                aria-hidden
              />
            ) : (
              <IconCircleDashed size={24} color="var(--mantine-color-dimmed)" style={{ flexShrink: 0 }} aria-hidden />
            )}
            <Group flex={1} gap="sm" justify="space-between" align="flex-start" miw={0}>
              <Box flex="1 1 220px" miw={0}>
                <Text fw={step === next ? 650 : 500} c={isDone ? 'dimmed' : undefined}>
                  {t(`step.${step}`)}
                  {isDone && <span className="sluice-hidden"> {t('steps.ticked')}</span>}
                </Text>
                {!isDone && (
                  <Text size="sm" c="dimmed" maw={640}>
                    {t(`step.${step}Text`)}
                  </Text>
                )}
              </Box>
              {edit && !isDone && (
                <Button component={Link} to={addresses[step]} size="sm" variant={step === next ? 'filled' : 'default'}>
                  {t(`step.${step}Do`)}
                </Button>
              )}
            </Group>
          </Group>
        ))}
      </Box>
    </Paper>
  )
}
