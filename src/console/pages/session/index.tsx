import { Box, Button, Grid, Group, Stack } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconEraser, IconFileOff, IconZoomQuestion } from '@tabler/icons-react'
import { Link, useParams } from 'react-router'
import { useLive } from '../../api/hooks.ts'
import { useCan, useTeam } from '../../app/context.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { LiveDot } from '../../kit/live-dot.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { Time } from '../../kit/time.tsx'
import { shortId } from '../sessions/session-list.tsx'
import { SessionStatusBadge } from '../sessions/session-state.tsx'
import { useText as useListText } from '../sessions/text.ts'
import { Access } from './access.tsx'
import { Annotations } from './annotations.tsx'
import { DataPanel } from './data-panel.tsx'
import { Facts } from './facts.tsx'
import { Files } from './files.tsx'
import { Problems } from './problems.tsx'
import { PurgeDialog } from './purge-dialog.tsx'
import { liveEditorFacts, liveSession, type SessionFacts } from './queries.ts'
import { RawSources } from './raw-sources.tsx'
import { useText } from './text.ts'
import { TimelineSection } from './timeline-section.tsx'
import { Trip } from './trip.tsx'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** One session: what happened to it, as it happens, and who may still read it. */
export function Component() {
  const { id = '' } = useParams()
  return uuid.test(id) ? <SessionPage key={id} id={id.toLowerCase()} /> : <NotThere />
}

function SessionPage({ id }: { readonly id: string }) {
  const { t } = useText()
  const team = useTeam()
  const session = useLive(liveSession, { id, team: team.id })
  const row = session.data?.sessions[0]
  if (session.data && !row) return <NotThere />
  return (
    <>
      {!row && <PageHeader title={t('title', { id: shortId(id) })} back={{ to: '/sessions', label: t('list') }} />}
      <Loaded of={session}>{() => row && <SessionView session={row} />}</Loaded>
    </>
  )
}

function SessionView({ session }: { readonly session: SessionFacts }) {
  const { t } = useText()
  const { t: tList } = useListText()
  const team = useTeam()
  const { edit } = useCan()
  const [purging, { open, close }] = useDisclosure()
  const { id, status, flow, kind, submitted_at, files } = session
  const editor = useLive(liveEditorFacts, { id, team: team.id }, { paused: !edit }).data?.sessions[0]
  const isKept = status !== 'purged'
  return (
    <>
      <PageHeader
        title={t('title', { id: shortId(id) })}
        back={{ to: '/sessions', label: t('list') }}
        badge={
          <Group gap="xs">
            <SessionStatusBadge status={status} />
            <LiveDot />
          </Group>
        }
        description={
          <>
            {flow?.name} · {tList(`kind.${kind}`)} · <Time at={submitted_at} />
          </>
        }
        actions={
          edit && (
            <>
              {isKept && (
                <Button variant="default" color="red" leftSection={<IconEraser size={18} aria-hidden />} onClick={open}>
                  {t('purge')}
                </Button>
              )}
              <Button
                variant="default"
                component={Link}
                to={`/webhooks?explain=${id}`}
                leftSection={<IconZoomQuestion size={18} aria-hidden />}
              >
                {t('explain')}
              </Button>
            </>
          )
        }
      />
      <Grid gap="lg" align="flex-start">
        <Grid.Col span={{ base: 12, lg: 8 }}>
          <Stack gap="lg">
            {status === 'invalid' && <Problems id={id} problems={editor?.problems} />}
            <TimelineSection session={session} editor={editor} />
            {edit && isKept && <DataPanel session={session} />}
            {edit && isKept && <Annotations session={session} />}
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, lg: 4 }}>
          <Stack gap="lg">
            <Facts session={session} />
            <Access session={session} />
            {files.length > 0 && <Files files={files} />}
            <RawSources id={id} />
            {session.trip && <Trip trip={session.trip} current={id} />}
          </Stack>
        </Grid.Col>
      </Grid>
      {purging && <PurgeDialog session={session} onClose={close} />}
    </>
  )
}

function NotThere() {
  const { t } = useText()
  const team = useTeam()
  return (
    <>
      <PageHeader title={t('gone.title')} back={{ to: '/sessions', label: t('list') }} />
      <Box>
        <EmptyState
          icon={IconFileOff}
          title={t('gone.heading')}
          action={
            <Button component={Link} to="/sessions">
              {t('gone.list')}
            </Button>
          }
        >
          {t('gone.text', { team: team.name })}
        </EmptyState>
      </Box>
    </>
  )
}
