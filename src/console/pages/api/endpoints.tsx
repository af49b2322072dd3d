import { Box, Stack, Text } from '@mantine/core'
import { CopyText } from '../../kit/copy-button.tsx'
import { Section } from '../../kit/section.tsx'
import { socketUrl } from './examples.ts'
import { useText } from './text.ts'

/** Where what is. */
export function Endpoints({ origin }: { readonly origin: string }) {
  const { t } = useText()
  const lines = [
    ['graphql', `${origin}/graphql`],
    ['socket', socketUrl(origin)],
    ['rest', `${origin}/v1`],
    ['token', `${origin}/oauth/token`],
    ['keys', `${origin}/.well-known/webhook-keys.json`],
  ] as const
  return (
    <Section title={t('endpoints')} framed>
      <Stack gap="md" component="dl" m={0}>
        {lines.map(([name, url]) => (
          <Box key={name}>
            <Text component="dt" fw={550} size="sm">
              {t(`endpoint.${name}`)}
            </Text>
            <Box component="dd" m={0}>
              <CopyText value={url} what={t('address')} />
              <Text size="xs" c="dimmed">
                {t(`endpoint.${name}Text`)}
              </Text>
            </Box>
          </Box>
        ))}
      </Stack>
    </Section>
  )
}
