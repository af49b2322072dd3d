import { Button } from '@mantine/core'
import { IconZoomQuestion } from '@tabler/icons-react'
import { Link, useSearchParams } from 'react-router'
import { useRead } from '../../api/hooks.ts'
import { EmptyState } from '../../kit/empty-state.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { ReviewState } from '../connector-parts/states.tsx'
import { Chooser } from './chooser.tsx'
import { ConnectPage } from './connect-form.tsx'
import { connectorToConnect } from './queries.ts'
import { useText } from './text.ts'

/** Connects an integration to a connector: which one, and with which settings. */
export function Component() {
  const { t } = useText()
  const [query] = useSearchParams()
  const id = query.get('connector')
  if (!id) {
    return (
      <>
        <PageHeader
          title={t('title')}
          description={t('choose.text')}
          back={{ to: '/connections', label: t('connections') }}
        />
        <Chooser />
      </>
    )
  }
  return (
    <>
      <PageHeader title={t('title')} description={t('text')} back={{ to: '/connectors', label: t('connectors') }} />
      {/* Another connector begins with another form. */}
      <OfConnector key={id} id={id} />
    </>
  )
}

function OfConnector({ id }: { readonly id: string }) {
  const { t } = useText()
  const connector = useRead(connectorToConnect, { id })
  return (
    <Loaded of={connector}>
      {({ connectors_by_pk: row }) =>
        row?.status === 'approved' ? (
          <ConnectPage connector={row} />
        ) : (
          <EmptyState
            icon={IconZoomQuestion}
            title={t('gone')}
            action={
              <Button component={Link} to="/connections/new">
                {t('choose.other')}
              </Button>
            }
          >
            {t('gone.text')} {row && <ReviewState status={row.status} />}
          </EmptyState>
        )
      }
    </Loaded>
  )
}
