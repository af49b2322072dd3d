import { Button, DataList, NumberInput, SimpleGrid, Stack, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useAction, useLive } from '../../api/hooks.ts'
import { useCan, useTeam } from '../../app/context.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { Section } from '../../kit/section.tsx'
import { liveTeam, type TeamSettings, updateTeam } from './queries.ts'
import { useText } from './text.ts'

/** How long the team keeps sessions, and where it is told how its targets fare. */
export function Settings() {
  const { t } = useText()
  const { id } = useTeam()
  const { edit } = useCan()
  const team = useLive(liveTeam, { team: id })
  return (
    <Section title={t('settings')} description={t('settings.text')} framed>
      <Loaded of={team}>
        {({ teams_by_pk: row }) =>
          row && (edit ? <SettingsForm key={settingsKey(row)} id={row.id} settings={row} /> : <SettingsList {...row} />)
        }
      </Loaded>
    </Section>
  )
}

/** What somebody else has saved starts the form anew. */
function settingsKey({ retention_days, retention_after_retrieval_days, notification_email }: TeamSettings): string {
  return JSON.stringify([retention_days, retention_after_retrieval_days, notification_email])
}

function SettingsList({ retention_days, retention_after_retrieval_days, notification_email }: TeamSettings) {
  const { t } = useText()
  const days = (value: number | null) => (value === null ? t('usual') : t('days', { count: value }))
  return (
    <DataList labelWidth={220}>
      {[
        [t('retention'), days(retention_days)],
        [t('retentionAfter'), days(retention_after_retrieval_days)],
        [t('notify'), notification_email ?? t('notify.editors')],
      ].map(([label, value]) => (
        <DataList.Item key={label}>
          <DataList.ItemLabel>{label}</DataList.ItemLabel>
          <DataList.ItemValue>{value}</DataList.ItemValue>
        </DataList.Item>
      ))}
    </DataList>
  )
}

function SettingsForm({ id, settings }: { readonly id: string; readonly settings: TeamSettings }) {
  const { t } = useText()
  const form = useForm<{
    retention_days: number | string
    retention_after_retrieval_days: number | string
    notification_email: string
  }>({
    initialValues: {
      retention_days: settings.retention_days ?? '',
      retention_after_retrieval_days: settings.retention_after_retrieval_days ?? '',
      notification_email: settings.notification_email ?? '',
    },
  })
  const save = useAction(updateTeam, { form, success: t('settings.saved') })
  const days = (value: number | string) => (value === '' ? null : Number(value))
  return (
    <form
      noValidate
      onSubmit={form.onSubmit((values) =>
        save.run({
          id,
          _set: {
            retention_days: days(values.retention_days),
            retention_after_retrieval_days: days(values.retention_after_retrieval_days),
            notification_email: values.notification_email.trim() || null,
          },
        }),
      )}
    >
      <Stack>
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <NumberInput
            label={t('retention')}
            description={t('retention.hint')}
            placeholder={t('usual')}
            suffix={t('days.suffix')}
            min={0}
            {...form.getInputProps('retention_days')}
          />
          <NumberInput
            label={t('retentionAfter')}
            description={t('retentionAfter.hint')}
            placeholder={t('usual')}
            suffix={t('days.suffix')}
            min={0}
            {...form.getInputProps('retention_after_retrieval_days')}
          />
        </SimpleGrid>
        <TextInput
          label={t('notify')}
          description={t('notify.hint')}
          placeholder={t('notify.editors')}
          type="email"
          maw={480}
          {...form.getInputProps('notification_email')}
        />
        <ErrorAlert fault={save.fault} />
        <Button
          type="submit"
          variant="default"
          disabled={!form.isDirty()}
          loading={save.running}
          style={{ alignSelf: 'flex-start' }}
        >
          {t('settings.save')}
        </Button>
      </Stack>
    </form>
  )
}
