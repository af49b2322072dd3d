/** What stands in a page's place when there is none to show. */
import { Button, Center, Group, Loader, Stack, Text, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { lazy, type ReactNode, Suspense, useEffect } from 'react'
import { Link } from 'react-router'
import { useCan, usePerson, useSignIn, useTeamChoice } from './context.tsx'
import { useAppText } from './text.ts'

// Once in the life of an installation.
const MakeTeam = lazy(async () => ({ default: (await import('./make-team.tsx')).MakeTeam }))

export interface MessageProps {
  readonly title: string
  readonly children: ReactNode
  readonly actions?: ReactNode
}

/** A heading, a sentence and what to do. */
export function Message({ title, children, actions }: MessageProps) {
  useDocumentTitle(`${title} · Sluice`)
  return (
    <Stack align="center" ta="center" gap="sm" py={72} px="md" maw={560} mx="auto">
      <Title order={1} id="page-title" tabIndex={-1} style={{ outline: 'none' }}>
        {title}
      </Title>
      <Text c="dimmed" component="div">
        {children}
      </Text>
      {actions && (
        <Group mt="sm" justify="center">
          {actions}
        </Group>
      )}
    </Stack>
  )
}

export function Loading() {
  const { t } = useAppText()
  return (
    <Center mih="60vh">
      <Loader role="status" aria-label={t('loading')} />
    </Center>
  )
}

export function NotFound() {
  const { t } = useAppText()
  return (
    <Message
      title={t('notFound.title')}
      actions={
        <Button component={Link} to="/">
          {t('notFound.home')}
        </Button>
      }
    >
      {t('notFound.text')}
    </Message>
  )
}

/** The page shows a team's things, and the platform is chosen. */
export function NeedsTeam() {
  const { t } = useAppText()
  return (
    <Message
      title={t('needsTeam.title')}
      actions={
        <Button component={Link} to="/">
          {t('notFound.home')}
        </Button>
      }
    >
      {t('needsTeam.text')}
    </Message>
  )
}

/** The page is for another role. */
export function Forbidden() {
  const { t } = useAppText()
  const { role } = useCan()
  const { team } = useTeamChoice()
  return (
    <Message
      title={t('forbidden.title')}
      actions={
        <Button component={Link} to="/">
          {t('notFound.home')}
        </Button>
      }
    >
      {t('forbidden.text', { role: t(`role.${role}`), team: team?.name ?? '' })}
    </Message>
  )
}

/** The person is in no team: an admin makes the first, everybody else asks for an invitation. */
export function NoTeam() {
  const { t } = useAppText()
  const { email, isAdmin } = usePerson()
  const signIn = useSignIn()
  useEffect(() => {
    // Without a team nothing is live; who was invited elsewhere meanwhile comes back to this page.
    const lookInSight = () => {
      if (!document.hidden) signIn.renew().catch(() => {})
    }
    document.addEventListener('visibilitychange', lookInSight)
    return () => document.removeEventListener('visibilitychange', lookInSight)
  }, [signIn])
  if (isAdmin) {
    return (
      <Message
        title={t('noTeam.adminTitle')}
        actions={
          <Suspense>
            <MakeTeam />
          </Suspense>
        }
      >
        {t('noTeam.adminText')}
      </Message>
    )
  }
  return (
    <Message
      title={t('noTeam.title')}
      actions={<Button onClick={() => void signIn.renew().catch(() => {})}>{t('noTeam.reload')}</Button>}
    >
      {t('noTeam.text', { email })}
    </Message>
  )
}
