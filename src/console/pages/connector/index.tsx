import { Alert, Badge, Button, Group, List, Menu, Paper, Stack, Text } from '@mantine/core'
import { IconBan, IconPlugConnected, IconShieldCheck, IconTrash } from '@tabler/icons-react'
import { useState } from 'react'
import { Link, useParams } from 'react-router'
import { useLive } from '../../api/hooks.ts'
import { useCan, useOwner } from '../../app/context.tsx'
import { AbsentRow } from '../../kit/absent-row.tsx'
import { CopyText } from '../../kit/copy-button.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { RowMenu } from '../../kit/row-menu.tsx'
import { Section } from '../../kit/section.tsx'
import { Time } from '../../kit/time.tsx'
import { Facts } from '../connector-parts/facts.tsx'
import { servesAll, titleOf } from '../connector-parts/manifest.ts'
import { PermissionList } from '../connector-parts/permissions.tsx'
import { Outward, Presentation, useKindName } from '../connector-parts/presentation.tsx'
import { ReviewState } from '../connector-parts/states.tsx'
import { type ConnectorDetail, liveConnector } from './queries.ts'
import { FunctionList, ReviewDialog, UninstallDialog, WithdrawDialog } from './review-dialogs.tsx'
import { SettingsTable } from './settings-table.tsx'
import { useText } from './text.ts'
import { UserTable } from './user-table.tsx'
import { VersionTable } from './version-table.tsx'

/** One version of a connector: what it is, what it may do, who uses it, and an admin's decision about it. */
export function Component() {
  const { t, language } = useText()
  const { id = '' } = useParams()
  const connector = useLive(liveConnector, { id })
  const row = connector.data?.connectors_by_pk
  const back = { to: '/connectors', label: t('list') }
  if (!row) {
    return (
      <AbsentRow of={connector} title={t('page')} list={back} goneTitle={t('gone.title')}>
        {t('gone.text')}
      </AbsentRow>
    )
  }
  return (
    <>
      <PageHeader
        title={titleOf(row, language).name}
        badge={<ReviewState status={row.status} />}
        back={back}
        actions={<Actions connector={row} />}
      />
      <Detail connector={row} />
    </>
  )
}

function Actions({ connector }: { readonly connector: ConnectorDetail }) {
  const { t, language } = useText()
  const { edit, administer } = useCan()
  const { team } = useOwner()
  const [asking, setAsking] = useState<'review' | 'withdraw' | 'uninstall'>()
  const { status, uninstalled_at } = connector
  const isInstalled = uninstalled_at === null
  const close = () => setAsking(undefined)
  return (
    <>
      {administer && isInstalled && status !== 'withdrawn' && (
        <Button
          variant={status === 'submitted' ? 'filled' : 'default'}
          leftSection={<IconShieldCheck size={18} aria-hidden />}
          onClick={() => setAsking('review')}
        >
          {t(status === 'submitted' ? 'review' : 'review.again')}
        </Button>
      )}
      {edit && status === 'approved' && (team || servesAll(connector.kinds)) && (
        <Button
          component={Link}
          to={`/connections/new?connector=${connector.id}`}
          leftSection={<IconPlugConnected size={18} aria-hidden />}
        >
          {t('connect')}
        </Button>
      )}
      {administer && isInstalled && (
        <RowMenu label={t('actionsFor', { name: titleOf(connector, language).name })}>
          {status !== 'withdrawn' && (
            <Menu.Item
              color="var(--mantine-color-error)"
              leftSection={<IconBan size={16} aria-hidden />}
              onClick={() => setAsking('withdraw')}
            >
              {t('withdraw')}
            </Menu.Item>
          )}
          <Menu.Item
            color="var(--mantine-color-error)"
            leftSection={<IconTrash size={16} aria-hidden />}
            onClick={() => setAsking('uninstall')}
          >
            {t('uninstall')}
          </Menu.Item>
        </RowMenu>
      )}
      {asking === 'review' && <ReviewDialog connector={connector} onClose={close} />}
      {asking === 'withdraw' && <WithdrawDialog connector={connector} onClose={close} />}
      {asking === 'uninstall' && <UninstallDialog connector={connector} onClose={close} />}
    </>
  )
}

function Detail({ connector }: { readonly connector: ConnectorDetail }) {
  const { t } = useText()
  const kindName = useKindName()
  const { manifest, status, review_note, uninstalled_at } = connector
  return (
    <Stack gap="lg">
      {status === 'submitted' && (
        <Alert icon={<IconShieldCheck aria-hidden />} color="yellow" title={t('waiting.title')}>
          {t('waiting.text')}
        </Alert>
      )}
      {review_note && (
        <Alert color="gray" title={t('review.noteTitle')}>
          <Text size="sm" style={{ whiteSpace: 'pre-line', overflowWrap: 'anywhere' }}>
            {review_note}
          </Text>
        </Alert>
      )}
      <Paper withBorder p={{ base: 'md', sm: 'lg' }} bg="var(--sluice-surface)">
        <Stack gap="md">
          <Presentation connector={connector} heading={null} />
          <Group gap={6}>
            {connector.kinds.map((kind) => (
              <Badge key={kind} color="gray" className="sluice-status">
                {kindName(kind)}
              </Badge>
            ))}
          </Group>
        </Stack>
      </Paper>
      <Section title={t('may')} description={t('may.text')} framed>
        <PermissionList connector={connector} />
      </Section>
      <Section title={t('connections')}>
        <UserTable connector={connector} />
      </Section>
      <Section title={t('settings')} description={t('settings.text')}>
        <SettingsTable connector={connector} />
      </Section>
      <Section title={t('versions')} description={t('versions.text')}>
        <VersionTable connector={connector} />
      </Section>
      <Section title={t('facts')} framed>
        <Facts
          facts={[
            [t('implementation'), <CopyText key="name" value={connector.implementation} what={t('implementation')} />],
            [t('functions'), <FunctionList key="functions" functions={connector.functions} />],
            manifest.accepts && [t('accepts'), <Accepts key="accepts" accepts={manifest.accepts} />],
            manifest.bookingSource && [t('bookingSource'), manifest.bookingSource],
            manifest.customerSystem && [t('customerSystem'), manifest.customerSystem],
            [t('license'), connector.license ?? t('license.none')],
            [
              t('privacyPolicy'),
              <Outward
                key="privacy"
                href={manifest.privacyPolicyUrl}
                label={t('privacyPolicy.of', { name: connector.name })}
              >
                {t('privacyPolicy.read')}
              </Outward>,
            ],
            [t('source'), connector.source],
            [t('bundle'), <CopyText key="bundle" value={connector.bundle_sha256} what={t('bundle')} length={16} />],
            [t('installed'), <Time key="installed" at={connector.created_at} />],
            connector.reviewed_at && [t('reviewed'), <Time key="reviewed" at={connector.reviewed_at} />],
            uninstalled_at && [t('uninstalled'), <Time key="uninstalled" at={uninstalled_at} />],
          ]}
        />
      </Section>
    </Stack>
  )
}

function Accepts({ accepts }: { readonly accepts: NonNullable<ConnectorDetail['manifest']['accepts']> }) {
  const { t } = useText()
  return (
    <List size="sm" listStyleType="none">
      {accepts.kinds && (
        <List.Item>
          {accepts.kinds.map((kind) => t(kind === 'booking' ? 'accepts.booking' : 'accepts.application')).join(', ')}
        </List.Item>
      )}
      {accepts.schemas?.map((schema) => (
        <List.Item key={schema}>
          <CopyText value={schema} what={t('accepts.schema')} />
        </List.Item>
      ))}
    </List>
  )
}
