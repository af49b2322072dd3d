import { Button, Stack, Text } from '@mantine/core'
import { IconBook2, IconBrandGraphql, IconDownload, IconExternalLink, IconKey } from '@tabler/icons-react'
import { type ReactNode, useState } from 'react'
import { Link } from 'react-router'
import { faultOf } from '../../api/fault.ts'
import { notify } from '../../api/notify.ts'
import { useCan, useSignIn } from '../../app/context.tsx'
import { FaultText } from '../../kit/fault-text.tsx'
import { Section } from '../../kit/section.tsx'
import { useText } from './text.ts'

/** GraphiQL and the documentation have pages of their own, which no other page may frame. */
export function Tools() {
  const { t } = useText()
  const { role } = useCan()
  const signIn = useSignIn()
  const [running, setRunning] = useState(false)
  const save = async () => {
    setRunning(true)
    try {
      const { saveSchema } = await import('./schema-download.ts')
      await saveSchema(signIn, role)
      void notify('done', t('schema.done'))
    } catch (error) {
      void notify('failed', <FaultText fault={faultOf(error)} />)
    }
    setRunning(false)
  }
  return (
    <Section title={t('tools')} framed>
      <Stack gap="md">
        <Tool text={t('graphiql.text')}>
          <Outside href="/graphql" icon={<IconBrandGraphql size={18} aria-hidden />}>
            {t('graphiql')}
          </Outside>
        </Tool>
        <Tool text={t('docs.text')}>
          <Outside href="/docs" icon={<IconBook2 size={18} aria-hidden />}>
            {t('docs')}
          </Outside>
        </Tool>
        <Tool text={t('schema.text')}>
          <Button
            variant="default"
            loading={running}
            leftSection={<IconDownload size={18} aria-hidden />}
            onClick={() => void save()}
          >
            {t('schema')}
          </Button>
        </Tool>
        <Tool text={t('openapi.text')}>
          <Button
            variant="default"
            component="a"
            href="/openapi.yaml"
            download="sluice-openapi.yaml"
            leftSection={<IconDownload size={18} aria-hidden />}
          >
            {t('openapi')}
          </Button>
        </Tool>
        <Tool text={t('credentials.text')}>
          <Button variant="default" component={Link} to="/credentials" leftSection={<IconKey size={18} aria-hidden />}>
            {t('credentials')}
          </Button>
        </Tool>
      </Stack>
    </Section>
  )
}

function Tool({ text, children }: { readonly text: string; readonly children: ReactNode }) {
  return (
    <Stack gap={4} align="flex-start">
      {children}
      <Text size="xs" c="dimmed">
        {text}
      </Text>
    </Stack>
  )
}

interface OutsideProps {
  readonly href: string
  readonly icon: ReactNode
  readonly children: string
}

/** Opens in a tab of its own, and says so. */
function Outside({ href, icon, children }: OutsideProps) {
  const { t } = useText()
  return (
    <Button
      variant="default"
      component="a"
      href={href}
      target="_blank"
      rel="noreferrer"
      leftSection={icon}
      rightSection={<IconExternalLink size={16} aria-hidden />}
    >
      {children}
      <span className="sluice-hidden"> {t('newTab')}</span>
    </Button>
  )
}
