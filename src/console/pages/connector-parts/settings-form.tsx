import {
  Alert,
  Checkbox,
  Group,
  NumberInput,
  PasswordInput,
  Select,
  Stack,
  Switch,
  Text,
  Textarea,
  TextInput,
  Title,
} from '@mantine/core'
import { type UseFormReturnType, useForm } from '@mantine/form'
import { IconShieldLock } from '@tabler/icons-react'
import { useEffect, useMemo, useState } from 'react'
import type { Fault } from '../../api/fault.ts'
import { FaultText } from '../../kit/fault-text.tsx'
import { groupsOf, type SettingItem } from './manifest.ts'
import {
  byKey,
  changedSettings,
  fieldName,
  type Given,
  initialSettings,
  misfitOf,
  nothingGiven,
  type SettingsValues,
} from './settings-values.ts'
import { usePartsText } from './text.ts'

export interface SettingsForm {
  readonly items: readonly SettingItem[]
  readonly given: Given
  readonly form: UseFormReturnType<SettingsValues>
  readonly cleared: ReadonlySet<string>
  readonly clear: (key: string, wanted: boolean) => void
  /** Marks what is wrong, and says whether anything is. */
  readonly validate: () => boolean
  /** What to send. */
  readonly changes: () => ReturnType<typeof changedSettings>
  /** By key, as they stand. */
  readonly current: Readonly<Record<string, unknown>>
  readonly isDirty: boolean
}

/**
 * A form made from a manifest's settings.
 *
 * @param fault of saving: what the API says of single settings is shown at their fields.
 */
export function useSettingsForm(
  items: readonly SettingItem[],
  given: Given = nothingGiven,
  fault?: Fault | undefined,
): SettingsForm {
  const { t } = usePartsText()
  const [cleared, setCleared] = useState<ReadonlySet<string>>(new Set())
  const form = useForm<SettingsValues>({
    mode: 'controlled',
    initialValues: initialSettings(items, given),
    validate: (values) =>
      Object.fromEntries(
        items.flatMap((item, index) => {
          const hasSecret = given.secrets.includes(item.key) && !cleared.has(item.key)
          const wrong = misfitOf(item, values[fieldName(index)], hasSecret)
          return wrong ? [[fieldName(index), t(`misfit.${wrong}`)]] : []
        }),
      ),
  })
  useEffect(() => {
    const fields = fault?.details?.fields as Readonly<Record<string, string>> | undefined
    for (const [key, message] of Object.entries(fields ?? {})) {
      const index = items.findIndex((item) => item.key === key)
      if (index >= 0) form.setFieldError(fieldName(index), <FaultText fault={{ code: fault?.code ?? '', message }} />)
    }
  }, [fault])
  const values = form.values
  const current = useMemo(() => byKey(items, values), [items, values])
  return {
    items,
    given,
    form,
    cleared,
    clear: (key, wanted) =>
      setCleared((before) => new Set(wanted ? [...before, key] : [...before].filter((one) => one !== key))),
    validate: () => !form.validate().hasErrors,
    changes: () => changedSettings(items, form.values, given, cleared),
    current,
    isDirty: Object.keys(changedSettings(items, values, given, cleared)).length > 0,
  }
}

/** Whether each fault is shown at a field already. */
export function isShownAtFields(fault: Fault | undefined): boolean {
  const { faults, fields } = (fault?.details ?? {}) as { faults?: readonly string[]; fields?: object }
  return faults !== undefined && faults.length === Object.keys(fields ?? {}).length
}

/** The fields, under the headings of the manifest; the choices about privacy are told as such, last. */
export function SettingsFields({ settings }: { readonly settings: SettingsForm }) {
  const { t } = usePartsText()
  const { groups, privacy } = groupsOf(settings.items)
  return (
    <Stack gap="lg">
      {groups.map(({ heading, items }) => (
        <Stack key={heading ?? ''} gap="md" component={heading ? 'section' : 'div'}>
          {heading && (
            <Title order={3} size="h3">
              {heading}
            </Title>
          )}
          {items.map((item) => (
            <Field key={item.key} item={item} settings={settings} />
          ))}
        </Stack>
      ))}
      {privacy.length > 0 && (
        <Alert icon={<IconShieldLock aria-hidden />} title={t('privacy')} color="water">
          <Stack gap="sm">
            <Text size="sm">{t('privacy.text')}</Text>
            {privacy.map((item) => (
              <Field key={item.key} item={item} settings={settings} />
            ))}
          </Stack>
        </Alert>
      )}
    </Stack>
  )
}

interface FieldProps {
  readonly item: SettingItem
  readonly settings: SettingsForm
}

function Field({ item, settings }: FieldProps) {
  const { t } = usePartsText()
  const { form, given, cleared, clear } = settings
  const name = fieldName(settings.items.indexOf(item))
  const common = {
    label: item.label,
    description: item.description,
    required: item.mandatory && item.type !== 'BOOLEAN',
    maw: 560,
    ...form.getInputProps(name),
  }
  if (item.options) {
    return (
      <Select
        {...common}
        value={String(form.values[name] ?? '') || null}
        onChange={(value) => form.setFieldValue(name, value ?? '')}
        data={item.options.map(({ value, label }) => ({ value, label }))}
        clearable={!item.mandatory && item.default === undefined}
        allowDeselect={!item.mandatory && item.default === undefined}
        clearButtonProps={{ 'aria-label': t('clear', { what: item.label }) }}
        searchable={item.options.length > 8}
      />
    )
  }
  switch (item.type) {
    case 'BOOLEAN':
      return (
        <Switch
          label={item.label}
          description={item.description}
          maw={560}
          {...form.getInputProps(name, { type: 'checkbox' })}
        />
      )
    case 'INT':
      return <NumberInput {...common} allowDecimal={false} maw={240} />
    case 'DATE':
      return <TextInput {...common} type="date" maw={240} />
    case 'LONG_STRING':
      return <Textarea {...common} autosize minRows={3} maxRows={16} maw={720} />
    case 'PASSWORD': {
      const isKept = given.secrets.includes(item.key)
      const isCleared = cleared.has(item.key)
      return (
        <Stack gap={6}>
          <PasswordInput
            {...common}
            required={item.mandatory && !isKept}
            disabled={isCleared}
            placeholder={isKept && !isCleared ? t('secret.kept') : undefined}
            autoComplete="new-password"
            visibilityToggleButtonProps={{ 'aria-label': t('secret.show', { what: item.label }), tabIndex: 0 }}
          />
          {isKept && !item.mandatory && (
            <Group>
              <Checkbox
                size="xs"
                label={t('secret.remove')}
                checked={isCleared}
                onChange={(event) => clear(item.key, event.currentTarget.checked)}
              />
            </Group>
          )}
        </Stack>
      )
    }
    default:
      return <TextInput {...common} autoComplete="off" />
  }
}
