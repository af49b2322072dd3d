import { Accordion, Badge, Button, Group, JsonInput, Modal, Select, Stack, Text, Title } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMemo, useState } from 'react'
import { useAction, useRead } from '../../api/hooks.ts'
import { useOwner } from '../../app/context.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { JsonView } from '../../kit/json-view.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { useKitText } from '../../kit/text.ts'
import { clockTime } from '../../kit/time.tsx'
import { RunState } from '../connector-parts/states.tsx'
import { type ConnectionDetail, type DryRunAnswer, dryRun, type SessionChoice, sessionsForDryRun } from './queries.ts'
import { Calls, LogLines } from './run-parts.tsx'
import { useText } from './text.ts'

export interface DryRunDialogProps {
  readonly connection: ConnectionDetail
  readonly onClose: () => void
}

const exampleFixtures = (hosts: readonly string[]) =>
  JSON.stringify(
    [{ method: 'POST', url: `https://${hosts[0] ?? 'api.example.org'}/*`, status: 201, body: { id: 1 } }],
    null,
    2,
  )

/** Runs the connector on a session with nothing leaving, and shows what would have been sent. */
export function DryRunDialog({ connection, onClose }: DryRunDialogProps) {
  const { t } = useText()
  const { t: kit } = useKitText()
  const [answer, setAnswer] = useState<DryRunAnswer>()
  return (
    <Modal opened onClose={onClose} size="xl" title={t('dry.title')} closeButtonProps={{ 'aria-label': kit('close') }}>
      {answer ? (
        <Outcome answer={answer} onAgain={() => setAnswer(undefined)} onClose={onClose} />
      ) : (
        <DryRunForm connection={connection} onAnswer={setAnswer} onClose={onClose} />
      )}
    </Modal>
  )
}

interface DryRunFormProps extends DryRunDialogProps {
  readonly onAnswer: (answer: DryRunAnswer) => void
}

function DryRunForm({ connection, onAnswer, onClose }: DryRunFormProps) {
  const { t, language } = useText()
  const { t: kit } = useKitText()
  const { team, rows: owner } = useOwner()
  const where = useMemo(
    () => ({
      ...(team ? { team_id: owner } : {}),
      status: { _eq: 'submitted' },
      grants: { integration_id: { _eq: connection.integration?.id ?? '' }, revoked_at: { _is_null: true } },
    }),
    [team, owner, connection.integration?.id],
  )
  const sessions = useRead(sessionsForDryRun, { where })
  const form = useForm<{ session_id: string | null; fixtures: string }>({
    mode: 'controlled',
    initialValues: { session_id: null, fixtures: '' },
    validate: {
      session_id: (id) => (id ? null : t('dry.session.missing')),
      fixtures: (text) => (text.trim() === '' || isList(text) ? null : t('dry.fixtures.wrong')),
    },
  })
  const run = useAction(dryRun, { form })
  return (
    <form
      noValidate
      onSubmit={form.onSubmit(async ({ session_id, fixtures }) => {
        const done = await run.run({
          connection: connection.id,
          session: session_id ?? '',
          fixtures: fixtures.trim() ? JSON.parse(fixtures) : [],
        })
        if (done) onAnswer(done.dry_run_connection)
      })}
    >
      <Stack>
        <Text size="sm">{t('dry.text')}</Text>
        <Loaded of={sessions}>
          {({ sessions: rows }) => (
            <Select
              label={t('session')}
              description={rows.length === 0 ? t('dry.session.none') : t('dry.session.hint')}
              placeholder={t('dry.session.choose')}
              data={rows.map((row) => ({ value: row.id, label: nameOf(row, language) }))}
              searchable
              required
              {...form.getInputProps('session_id')}
            />
          )}
        </Loaded>
        {connection.hosts.length > 0 && (
          <JsonInput
            label={t('dry.fixtures')}
            description={t('dry.fixtures.hint')}
            placeholder={exampleFixtures(connection.hosts)}
            autosize
            minRows={4}
            maxRows={14}
            formatOnBlur
            spellCheck={false}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
            {...form.getInputProps('fixtures')}
          />
        )}
        <ErrorAlert fault={run.fault} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {kit('cancel')}
          </Button>
          <Button type="submit" loading={run.running}>
            {t('dry.do')}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

interface OutcomeProps {
  readonly answer: DryRunAnswer
  readonly onAgain: () => void
  readonly onClose: () => void
}

function Outcome({ answer, onAgain, onClose }: OutcomeProps) {
  const { t } = useText()
  const { t: kit } = useKitText()
  return (
    <Stack>
      <Group gap="sm">
        <RunState status={answer.succeeded ? 'succeeded' : 'failed'} />
        {answer.message && (
          <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
            {answer.message}
          </Text>
        )}
      </Group>
      <Stack gap="xs" component="section">
        <Title order={3} size="h3">
          {t('dry.withheld')}
        </Title>
        {answer.withheld.length === 0 ? (
          <Text size="sm" c="dimmed">
            {t('dry.withheld.none')}
          </Text>
        ) : (
          <Accordion variant="contained" multiple>
            {answer.withheld.map(({ kind, method, target, headers, body }, index) => (
              <Accordion.Item key={index} value={String(index)}>
                <Accordion.Control>
                  <Group gap="xs" wrap="nowrap">
                    <Badge color="gray" className="sluice-status" style={{ flex: 'none' }}>
                      {method ?? kind}
                    </Badge>
                    <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
                      {target}
                    </Text>
                  </Group>
                </Accordion.Control>
                <Accordion.Panel>
                  <Stack gap="xs">
                    {Object.keys(headers).length > 0 && <JsonView value={headers} label={t('dry.headers')} />}
                    {body && <JsonView value={body} label={t('dry.body')} />}
                  </Stack>
                </Accordion.Panel>
              </Accordion.Item>
            ))}
          </Accordion>
        )}
      </Stack>
      <Stack gap="xs" component="section">
        <Title order={3} size="h3">
          {t('log')}
        </Title>
        <LogLines lines={answer.log} />
      </Stack>
      <Stack gap="xs" component="section">
        <Title order={3} size="h3">
          {t('calls')}
        </Title>
        <Calls calls={answer.calls} />
      </Stack>
      <Group justify="flex-end">
        <Button variant="default" onClick={onAgain}>
          {t('dry.again')}
        </Button>
        <Button onClick={onClose}>{kit('done')}</Button>
      </Group>
    </Stack>
  )
}

function nameOf({ id, submitted_at, payment_id, flow }: SessionChoice, language: string): string {
  return [flow?.name, clockTime(new Date(submitted_at), language), payment_id, id.slice(0, 8)]
    .filter(Boolean)
    .join(' · ')
}

function isList(text: string): boolean {
  try {
    return Array.isArray(JSON.parse(text))
  } catch {
    return false
  }
}
