import { Alert, Button, Group, Stack } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconAlertTriangle, IconFlask, IconPencil } from '@tabler/icons-react'
import { useParams } from 'react-router'
import { useLive } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { AbsentRow } from '../../kit/absent-row.tsx'
import { CopyText } from '../../kit/copy-button.tsx'
import { LiveDot } from '../../kit/live-dot.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { useKitText } from '../../kit/text.ts'
import { SubmitDialog } from '../sessions/submit-dialog.tsx'
import { Destinations } from './destinations.tsx'
import { EditDialog } from './edit-dialog.tsx'
import { Latest } from './latest.tsx'
import { type FlowFacts, liveFlow } from './queries.ts'
import { Schema } from './schema.tsx'
import { Submitting } from './submitting.tsx'
import { useText } from './text.ts'

/** One flow: where its sessions go, what they must look like, and how they come in. */
export function Component() {
  const { t } = useText()
  const { id = '' } = useParams()
  const flow = useLive(liveFlow, { id })
  const back = { to: '/flows', label: t('flows') }
  if (flow.data?.flows_by_pk) return <Flow flow={flow.data.flows_by_pk} back={back} />
  return (
    <AbsentRow of={flow} title={t('title')} list={back} goneTitle={t('gone.title')}>
      {t('gone.text')}
    </AbsentRow>
  )
}

interface FlowProps {
  readonly flow: FlowFacts
  readonly back: { readonly to: string; readonly label: string }
}

function Flow({ flow, back }: FlowProps) {
  const { t } = useText()
  const { t: kit } = useKitText()
  const { edit } = useCan()
  const [editing, editor] = useDisclosure()
  const [testing, tester] = useDisclosure()
  return (
    <>
      <PageHeader
        title={flow.name}
        badge={<LiveDot />}
        back={back}
        description={
          <Group gap={6}>
            {kit('slug')} <CopyText value={flow.slug} what={kit('slug')} />
          </Group>
        }
        actions={
          edit && (
            <>
              <Button variant="default" leftSection={<IconPencil size={18} aria-hidden />} onClick={editor.open}>
                {t('rename')}
              </Button>
              {/* First things first: without a destination, adding one is the page's main button. */}
              <Button
                variant={flow.destinations_aggregate.aggregate.count === 0 ? 'default' : 'filled'}
                leftSection={<IconFlask size={18} aria-hidden />}
                onClick={tester.open}
              >
                {t('test')}
              </Button>
            </>
          )
        }
      />
      <Stack gap="xl">
        <Destinations flow={flow} />
        <Latest flow={flow} onTest={tester.open} />
        <Schema flow={flow} />
        <Submitting flow={flow} />
      </Stack>
      {editing && <EditDialog flow={flow} onClose={editor.close} />}
      {testing && (
        <SubmitDialog flow={flow} onClose={tester.close}>
          {flow.destinations_aggregate.aggregate.count === 0 && (
            <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />}>
              {t('test.nowhere')}
            </Alert>
          )}
        </SubmitDialog>
      )}
    </>
  )
}
