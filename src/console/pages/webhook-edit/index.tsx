import { Button } from '@mantine/core'
import { IconWebhookOff } from '@tabler/icons-react'
import { Link, useNavigate, useParams } from 'react-router'
import { useRead } from '../../api/hooks.ts'
import { useOwner } from '../../app/context.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { choicesForWebhook, webhookToEdit } from '../webhook-new/queries.ts'
import { useText } from '../webhook-new/text.ts'
import { WebhookForm } from '../webhook-new/webhook-form.tsx'

/** A webhook as it is, to be changed. */
export function Component() {
  const { t } = useText()
  const { rows: owner } = useOwner()
  const navigate = useNavigate()
  const { id = '' } = useParams()
  const stored = useRead(webhookToEdit, { id })
  const choices = useRead(choicesForWebhook, { owner })
  const both = {
    data: stored.data && choices.data ? { ...stored.data, ...choices.data } : undefined,
    loading: stored.loading || choices.loading,
    fault: stored.fault ?? choices.fault,
    refresh: () => {
      stored.refresh()
      choices.refresh()
    },
  }
  const name = stored.data?.webhooks_by_pk?.name
  const back = `/webhooks/${id}`
  return (
    <>
      <PageHeader
        title={name ? t('edit.title', { name }) : t('edit')}
        back={{ to: back, label: name ?? t('webhook') }}
      />
      <Loaded of={both}>
        {({ webhooks_by_pk: webhook, integrations, flows }) =>
          webhook ? (
            <WebhookForm
              key={webhook.id}
              webhook={webhook}
              integrations={integrations}
              flows={flows}
              back={back}
              onDone={() => void navigate(back)}
            />
          ) : (
            <EmptyState
              icon={IconWebhookOff}
              title={t('gone.title')}
              action={
                <Button component={Link} to="/webhooks">
                  {t('gone.action')}
                </Button>
              }
            >
              {t('gone.text')}
            </EmptyState>
          )
        }
      </Loaded>
    </>
  )
}
