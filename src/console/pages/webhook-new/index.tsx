import { Button } from '@mantine/core'
import { IconArrowsExchange } from '@tabler/icons-react'
import { useState } from 'react'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { useRead } from '../../api/hooks.ts'
import { useOwner } from '../../app/context.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { SecretOnce } from '../../kit/secret-once.tsx'
import { choicesForWebhook } from './queries.ts'
import { useText } from './text.ts'
import { WebhookForm } from './webhook-form.tsx'

/** A new webhook; its secret is shown once, then its page. `?integration=<id>` chooses one beforehand. */
export function Component() {
  const { t } = useText()
  const { rows: owner } = useOwner()
  const navigate = useNavigate()
  const [search] = useSearchParams()
  const choices = useRead(choicesForWebhook, { owner })
  const [made, setMade] = useState<{ readonly id: string; readonly name: string; readonly secret: string | null }>()
  return (
    <>
      <PageHeader title={t('title')} description={t('description')} back={{ to: '/webhooks', label: t('webhooks') }} />
      <Loaded of={choices}>
        {({ integrations, flows }) =>
          integrations.length === 0 ? (
            <EmptyState
              icon={IconArrowsExchange}
              title={t('empty.title')}
              action={
                <Button component={Link} to="/integrations">
                  {t('empty.action')}
                </Button>
              }
            >
              {t('empty.text')}
            </EmptyState>
          ) : (
            <WebhookForm
              webhook={null}
              integrations={integrations}
              flows={flows}
              integration={search.get('integration')}
              back="/webhooks"
              onDone={setMade}
            />
          )
        }
      </Loaded>
      {made && (
        <SecretOnce
          title={t('made.title', { name: made.name })}
          values={[{ label: t('secret'), value: made.secret ?? '', secret: true }]}
          onClose={() => void navigate(`/webhooks/${made.id}`)}
        >
          {t('made.text')}
        </SecretOnce>
      )}
    </>
  )
}
