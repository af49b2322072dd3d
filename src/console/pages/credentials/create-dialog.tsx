import { Code, SegmentedControl, Select, Stack, TagsInput, Text, TextInput } from '@mantine/core'
import { schemaResolver, useForm } from '@mantine/form'
import { useMemo, useState } from 'react'
import { z } from 'zod'
import { useAction, useRead } from '../../api/hooks.ts'
import { useOwner } from '../../app/context.tsx'
import { FormModal } from '../../kit/form-modal.tsx'
import { SecretOnce } from '../../kit/secret-once.tsx'
import { createCredential, integrationsOfTeam } from './queries.ts'
import { useText } from './text.ts'

type Made = {
  readonly key: string
  readonly secret: string
  readonly role: 'consumer' | 'source'
  readonly name: string
}

/** Makes a credential, and then shows its secret, once. */
export function CreateDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useText()
  const [made, setMade] = useState<Made>()
  if (!made) return <CreateForm onMade={setMade} onClose={onClose} />
  return (
    <SecretOnce
      title={t('made.title', { name: made.name })}
      values={[
        { label: t('key'), value: made.key },
        { label: t('secret'), value: made.secret, secret: true },
      ]}
      onClose={onClose}
    >
      <Text size="sm" mb={4}>
        {t(made.role === 'consumer' ? 'made.consumer' : 'made.source')}
      </Text>
      <Code block>{exampleOf(made)}</Code>
    </SecretOnce>
  )
}

interface CreateFormProps {
  readonly onMade: (made: Made) => void
  readonly onClose: () => void
}

function CreateForm({ onMade, onClose }: CreateFormProps) {
  const { t } = useText()
  const { team, rows: owner } = useOwner()
  const integrations = useRead(integrationsOfTeam, { owner })
  const schema = useMemo(
    () =>
      z
        .object({
          role: z.enum(['consumer', 'source']),
          integration_id: z.string().nullable(),
          name: z.string().trim().min(1, t('name.missing')).max(200, t('name.long')),
          expires_on: z.string(),
          allowed_addresses: z.array(z.string()),
        })
        .refine(({ role, integration_id }) => role === 'source' || integration_id, {
          path: ['integration_id'],
          message: t('integration.missing'),
        }),
    [t],
  )
  const form = useForm<z.infer<typeof schema>>({
    initialValues: { role: 'consumer', integration_id: null, name: '', expires_on: '', allowed_addresses: [] },
    validate: schemaResolver(schema, { sync: true }),
  })
  const create = useAction(createCredential, { form, fields: { 'object.expires_at': 'expires_on' } })
  const { role } = form.getValues()
  return (
    <FormModal
      title={t('create')}
      action={t('create')}
      running={create.running}
      fault={create.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ role, name, integration_id, expires_on, allowed_addresses }) => {
        const done = await create.run({
          object: {
            role,
            name,
            ...(role === 'consumer' && integration_id ? { integration_id } : { team_id: team?.id }),
            ...(expires_on ? { expires_at: endOfDay(expires_on) } : {}),
            ...(allowed_addresses.length > 0 ? { allowed_addresses } : {}),
          },
        })
        if (done) onMade({ ...done.create_credential, role, name })
      })}
    >
      {team ? (
        <Stack gap={4}>
          <SegmentedControl
            fullWidth
            aria-label={t('role')}
            data={[
              { value: 'consumer', label: t('role.consumer') },
              { value: 'source', label: t('role.source') },
            ]}
            {...form.getInputProps('role')}
          />
          <Text size="xs" c="dimmed">
            {t(`role.${role}Text`, { team: team.name })}
          </Text>
        </Stack>
      ) : (
        <Text size="sm">{t('platform.text')}</Text>
      )}
      {role === 'consumer' && (
        <Select
          label={t('integration')}
          placeholder={t('integration.choose')}
          description={integrations.data?.integrations.length === 0 ? t('integration.none') : undefined}
          data={(integrations.data?.integrations ?? []).map(({ id, name }) => ({ value: id, label: name }))}
          searchable
          required
          {...form.getInputProps('integration_id')}
        />
      )}
      <TextInput
        label={t('name')}
        description={t('name.hint')}
        required
        autoComplete="off"
        {...form.getInputProps('name')}
      />
      <TextInput
        type="date"
        label={t('expires')}
        description={t('expires.hint')}
        {...form.getInputProps('expires_on')}
      />
      <TagsInput
        label={t('addresses')}
        description={t('addresses.hint')}
        placeholder="198.51.100.0/24"
        acceptValueOnBlur
        {...form.getInputProps('allowed_addresses')}
      />
    </FormModal>
  )
}

/** The last second of a day, by the person's clock. */
function endOfDay(day: string): string {
  return new Date(`${day}T23:59:59`).toISOString()
}

/** A first request with the new credential. */
function exampleOf({ role, key }: Made): string {
  const query = role === 'consumer' ? '{ sessions { id submitted_at } }' : '{ flows { slug name } }'
  return `curl ${location.origin}/graphql \\
  -u '${key}:THE-SECRET' \\
  -H 'content-type: application/json' \\
  -d '{"query":"${query}"}'`
}
