import { Accordion, Alert, Anchor, Code, JsonInput, SegmentedControl, Select, Stack, Text } from '@mantine/core'
import { useForm } from '@mantine/form'
import type { ReactNode } from 'react'
import { Link, useNavigate } from 'react-router'
import { useAction, useRead } from '../../api/hooks.ts'
import { useTeam } from '../../app/context.tsx'
import { CopyButton } from '../../kit/copy-button.tsx'
import { FormModal } from '../../kit/form-modal.tsx'
import { type FlowChoice, flowsOfTeam, kinds, type SessionKind, submitTestSession } from './queries.ts'
import { useText } from './text.ts'

interface Values {
  readonly flow: string | null
  readonly kind: SessionKind
  readonly data: string
  readonly config: string
}

export interface SubmitDialogProps {
  /** Of this flow; without it, the person chooses one. */
  readonly flow?: FlowChoice
  /** Said before the fields. */
  readonly children?: ReactNode
  readonly onClose: () => void
}

/** A session to see where it goes; then its own page, where its deliveries come in. */
export function SubmitDialog({ flow, children, onClose }: SubmitDialogProps) {
  const team = useTeam()
  const read = useRead(flowsOfTeam, { team: team.id }, { paused: flow !== undefined }).data?.flows
  const flows = flow ? [flow] : read
  return (
    flows && (
      <SubmitForm given={flow} flows={flows} onClose={onClose}>
        {children}
      </SubmitForm>
    )
  )
}

interface SubmitFormProps {
  readonly given: FlowChoice | undefined
  readonly flows: readonly FlowChoice[]
  readonly children: ReactNode
  readonly onClose: () => void
}

function SubmitForm({ given, flows, children, onClose }: SubmitFormProps) {
  const { t } = useText()
  const navigate = useNavigate()
  const [only] = flows.length === 1 ? flows : []
  const form = useForm<Values>({
    initialValues: { flow: only?.id ?? null, kind: 'application', data: '', config: '' },
    validate: {
      flow: (flow) => (flow ? null : t('submit.flowMissing')),
      data: (text) => (jsonObject(text) === undefined ? t('submit.noJson') : null),
      config: (text) => (jsonObject(text) === undefined ? t('submit.noJson') : null),
    },
  })
  const submit = useAction(submitTestSession, {
    form,
    fields: { flow_id: 'flow' },
    success: ({ submit_test_session: { status, deliveries } }) =>
      status === 'invalid' ? t('submit.invalid') : t('submit.done', { count: deliveries }),
  })
  const chosen = flows.find(({ id }) => id === form.getValues().flow)
  return (
    <FormModal
      title={t('submit')}
      action={t('submit.action')}
      size="lg"
      running={submit.running}
      fault={submit.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ flow, kind, data, config }) => {
        const done = await submit.run({
          flow: flow ?? '',
          kind,
          data: jsonObject(data) ?? null,
          config: jsonObject(config) ?? null,
        })
        if (done) await navigate(`/sessions/${done.submit_test_session.id}`)
      })}
    >
      <Text size="sm">{t('submit.text')}</Text>
      {children}
      {flows.length === 0 && (
        <Alert color="yellow" title={t('submit.noFlow')}>
          <Anchor component={Link} to="/flows" size="sm">
            {t('submit.toFlows')}
          </Anchor>
        </Alert>
      )}
      {!given && (
        <Select
          label={t('flow')}
          description={t('submit.flowText')}
          placeholder={t('submit.flowChoose')}
          data={flows.map(({ id, name }) => ({ value: id, label: name }))}
          allowDeselect={false}
          searchable
          required
          {...form.getInputProps('flow')}
        />
      )}
      <SegmentedControl
        fullWidth
        aria-label={t('kind')}
        data={kinds.map((value) => ({ value, label: t(`kind.${value}`) }))}
        {...form.getInputProps('kind')}
      />
      <JsonInput
        label={t('submit.config')}
        description={t('submit.configText')}
        placeholder={'{ "region": "north" }'}
        autosize
        minRows={2}
        maxRows={8}
        formatOnBlur
        validationError={t('submit.noJson')}
        spellCheck={false}
        {...form.getInputProps('config')}
      />
      <JsonInput
        label={t('submit.data')}
        description={t('submit.dataText')}
        autosize
        minRows={2}
        maxRows={12}
        formatOnBlur
        validationError={t('submit.noJson')}
        spellCheck={false}
        {...form.getInputProps('data')}
      />
      {chosen && <FromElsewhere flow={chosen} />}
    </FormModal>
  )
}

/** How the team's own systems submit: with the key of a source. */
function FromElsewhere({ flow }: { readonly flow: FlowChoice }) {
  const { t } = useText()
  const { slug } = useTeam()
  const command = `curl ${location.origin}/v1/sessions \\
  -u 'KEY:SECRET' \\
  -H 'content-type: application/json' \\
  -d '{"team":"${slug}","flow":"${flow.slug}","data":{"answer":42}}'`
  return (
    <Accordion variant="contained" chevronPosition="left">
      <Accordion.Item value="curl">
        <Accordion.Control>{t('submit.elsewhere')}</Accordion.Control>
        <Accordion.Panel>
          <Stack gap="xs">
            <Text size="sm">
              {t('submit.elsewhereText')}{' '}
              <Anchor component={Link} to="/credentials" size="sm">
                {t('submit.toCredentials')}
              </Anchor>
            </Text>
            <div style={{ position: 'relative' }}>
              <Code block style={{ paddingRight: 40 }}>
                {command}
              </Code>
              <div style={{ position: 'absolute', top: 6, right: 6 }}>
                <CopyButton value={command} what={t('submit.command')} />
              </div>
            </div>
          </Stack>
        </Accordion.Panel>
      </Accordion.Item>
    </Accordion>
  )
}

/** @returns the object; null of an empty text; undefined of anything else. */
function jsonObject(text: string): object | null | undefined {
  if (!text.trim()) return null
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
