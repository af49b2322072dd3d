import { Alert, MultiSelect, NumberInput, Radio, SimpleGrid, Stack, Text, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useState } from 'react'
import { useAction, useRead } from '../../api/hooks.ts'
import { useOwner } from '../../app/context.tsx'
import { FormModal } from '../../kit/form-modal.tsx'
import { flowsToReplay, type NewReplay, replayDeliveries, type Webhook } from './queries.ts'
import { useText } from './text.ts'

export const replayKinds = ['exhausted', 'cancelled', 'all', 'missed'] as const
export type ReplayKind = (typeof replayKinds)[number]

interface Values {
  what: ReplayKind
  flows: string[]
  /** Local time, as the field has it. */
  from: string
  to: string
  rate_per_second: number | string
}

export interface ReplayDialogProps {
  readonly webhook: Webhook
  /** Chosen beforehand. */
  readonly what?: ReplayKind
  readonly onDone?: () => void
  readonly onClose: () => void
}

/** Sends many again: first it counts, and then it does it. */
export function ReplayDialog({ webhook, what = 'exhausted', onDone, onClose }: ReplayDialogProps) {
  const { t } = useText()
  const { team, rows: owner } = useOwner()
  const flows = useRead(flowsToReplay, {
    // The platform's serve flows of many teams.
    where: team ? { team_id: owner } : { destinations: { integration_id: { _eq: webhook.integration?.id } } },
  })
  const [counted, setCounted] = useState<{ readonly total: number; readonly skipped: number }>()
  const form = useForm<Values>({
    initialValues: { what, flows: [], from: '', to: '', rate_per_second: 10 },
    validate: {
      rate_per_second: (rate) =>
        rate !== '' && Number(rate) >= 0.01 && Number(rate) <= 1000 ? null : t('replay.rateRange'),
      to: (to, { from }) => (from && to && to <= from ? t('range.order') : null),
    },
    // What was counted is no longer what would be sent.
    onValuesChange: () => setCounted(undefined),
  })
  const replay = useAction(replayDeliveries, { form })
  const { total = 0, skipped = 0 } = counted ?? {}
  const sends = total - skipped
  const isReady = counted !== undefined && sends > 0
  return (
    <FormModal
      title={t('replay.title', { name: webhook.name })}
      action={isReady ? t('replay.do', { count: sends }) : t('replay.count')}
      running={replay.running}
      fault={replay.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async (values) => {
        const done = await replay.run({ object: replayOf(webhook.id, values, !isReady) })
        if (!done) return
        if (isReady) {
          onDone?.()
          onClose()
        } else setCounted(done.replay_deliveries)
      })}
    >
      <Radio.Group label={t('replay.what')} {...form.getInputProps('what')}>
        <Stack gap="xs" mt={6}>
          {replayKinds.map((kind) => (
            <Radio key={kind} value={kind} label={t(`replayKind.${kind}`)} description={t(`replayKind.${kind}Text`)} />
          ))}
        </Stack>
      </Radio.Group>
      <MultiSelect
        label={t('replay.flows')}
        placeholder={form.getValues().flows.length === 0 ? t('replay.allFlows') : undefined}
        data={(flows.data?.flows ?? []).map(({ id, name, team: of }) => ({
          value: id,
          label: team ? name : `${of?.name}: ${name}`,
        }))}
        searchable
        {...form.getInputProps('flows')}
      />
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        <TextInput type="datetime-local" label={t('replay.from')} {...form.getInputProps('from')} />
        <TextInput type="datetime-local" label={t('replay.to')} {...form.getInputProps('to')} />
      </SimpleGrid>
      <NumberInput
        label={t('replay.rateField')}
        description={t('replay.rateHint')}
        min={0}
        max={1000}
        hideControls
        {...form.getInputProps('rate_per_second')}
      />
      <div aria-live="polite">
        {counted && (
          <Alert color={sends > 0 ? 'blue' : 'gray'} p="xs">
            <Text size="sm">
              {sends > 0 ? t('replay.would', { count: sends }) : t('replay.nothing')}
              {skipped > 0 && ` ${t('replay.wouldSkip', { count: skipped })}`}
            </Text>
          </Alert>
        )}
      </div>
    </FormModal>
  )
}

function replayOf(webhook_id: string, { what, flows, from, to, rate_per_second }: Values, dry_run: boolean): NewReplay {
  const missed = what === 'missed'
  const ofFlows = { flow_id: { _in: flows } }
  const where = {
    ...(what === 'exhausted' || what === 'cancelled' ? { status: { _eq: what } } : {}),
    ...(flows.length > 0 ? (missed ? ofFlows : { session: ofFlows }) : {}),
  }
  return {
    webhook_id,
    ...(Object.keys(where).length > 0 ? { where } : {}),
    ...(from ? { from: new Date(from).toISOString() } : {}),
    ...(to ? { to: new Date(to).toISOString() } : {}),
    rate_per_second: Number(rate_per_second),
    missed,
    dry_run,
  }
}
