import { Code, Group, Stack, Text } from '@mantine/core'
import { Time } from '../../kit/time.tsx'
import type { CredentialRow } from './queries.ts'
import { liveSecrets } from './state.ts'
import { useText } from './text.ts'

/** Each secret that works: how it ends, when it was used last, and until when it goes on after a rotation. */
export function SecretLines({ row }: { readonly row: CredentialRow }) {
  const { t } = useText()
  const secrets = liveSecrets(row.secrets, Date.now())
  if (row.secrets.length === 0) {
    return (
      <Text size="sm" c="dimmed" component="span">
        {t('secrets.ownKeys')}
      </Text>
    )
  }
  if (secrets.length === 0) {
    return (
      <Text size="sm" c="dimmed" component="span">
        {t('secrets.none')}
      </Text>
    )
  }
  return (
    <Stack gap={4}>
      {secrets.map(({ id, ending, last_used_at, expires_at }) => (
        <Group key={id} gap="0 8px">
          {ending && <Code>…{ending}</Code>}
          <Text size="sm" component="span">
            {last_used_at ? (
              <>
                {t('secrets.used')} <Time at={last_used_at} relative />
              </>
            ) : (
              t('secrets.unused')
            )}
          </Text>
          {expires_at && (
            <Text size="xs" c="dimmed" component="span">
              {t('secrets.ends')} <Time at={expires_at} relative />
            </Text>
          )}
        </Group>
      ))}
    </Stack>
  )
}
