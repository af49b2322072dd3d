import { Alert, Button, Checkbox, Group, List, Modal, Select, Stack, Text, Title } from '@mantine/core'
import { IconShieldExclamation } from '@tabler/icons-react'
import { useMemo, useState } from 'react'
import { useAction, useRead } from '../../api/hooks.ts'
import { notify } from '../../api/notify.ts'
import { useCan } from '../../app/context.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { useKitText } from '../../kit/text.ts'
import { type ConnectorRow, newerFirst } from '../connector-parts/manifest.ts'
import { PermissionList } from '../connector-parts/permissions.tsx'
import { useKindName } from '../connector-parts/presentation.tsx'
import { isShownAtFields, SettingsFields, useSettingsForm } from '../connector-parts/settings-form.tsx'
import { useSettings } from '../connector-parts/use-settings.ts'
import { type ConnectionDetail, type UpgradeDifference, upgradeConnection, upgradePreview } from './queries.ts'
import { useText } from './text.ts'

export interface UpgradeDialogProps {
  readonly connection: ConnectionDetail
  /** Approved versions of the same connector, without its own. */
  readonly versions: readonly ConnectorRow[]
  /** Begins with this one. @default the newest */
  readonly wanted?: string | null
  readonly onClose: () => void
}

/** Another version: what it may do more, what it wants to know, and who has to agree. */
export function UpgradeDialog({ connection, versions, wanted, onClose }: UpgradeDialogProps) {
  const { t } = useText()
  const { t: kit } = useKitText()
  const sorted = useMemo(() => versions.toSorted((a, b) => newerFirst(a.version, b.version)), [versions])
  const [chosen, setChosen] = useState(sorted.find(({ id }) => id === wanted)?.id ?? sorted[0]?.id ?? null)
  const target = sorted.find(({ id }) => id === chosen)
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={t('upgrade.title', { name: connection.name })}
      closeButtonProps={{ 'aria-label': kit('close') }}
    >
      <Stack>
        <Select
          label={t('upgrade.to')}
          description={t('upgrade.now', { version: connection.connector?.version ?? '–' })}
          data={sorted.map(({ id, version }) => ({ value: id, label: version }))}
          value={chosen}
          onChange={setChosen}
          allowDeselect={false}
          maw={280}
        />
        {target && <Change key={target.id} connection={connection} target={target} onClose={onClose} />}
      </Stack>
    </Modal>
  )
}

interface ChangeProps {
  readonly connection: ConnectionDetail
  readonly target: ConnectorRow
  readonly onClose: () => void
}

function Change({ connection, target, onClose }: ChangeProps) {
  const preview = useRead(upgradePreview, { id: connection.id, connector: target.id })
  return (
    <Loaded of={preview}>
      {({ connector_upgrade_preview: difference }) => (
        <UpgradeForm connection={connection} target={target} difference={difference} onClose={onClose} />
      )}
    </Loaded>
  )
}

function UpgradeForm({ connection, target, difference, onClose }: ChangeProps & { difference: UpgradeDifference }) {
  const { t, language } = useText()
  const { t: kit } = useKitText()
  const { administer } = useCan()
  const kindName = useKindName()
  const [agreed, setAgreed] = useState(false)
  const [tried, setTried] = useState(false)
  const upgrade = useAction(upgradeConnection)
  const all = useSettings(target)
  // New ones, and those whose rules have changed: whoever upgrades may want to say something of each.
  const asked = useMemo(() => {
    const keys = new Set([...difference.settings_added, ...difference.settings_missing, ...difference.settings_changed])
    return all.filter(({ key }) => keys.has(key))
  }, [all, difference])
  const given = useMemo(
    () => ({ settings: connection.settings, secrets: connection.secret_settings }),
    [connection.settings, connection.secret_settings],
  )
  const settings = useSettingsForm(asked, given, upgrade.fault)
  const had = new Set(connection.connector?.manifest.permissions.map((one) => JSON.stringify(one)))
  const has = new Set(target.manifest.permissions.map((one) => JSON.stringify(one)))
  const added = target.manifest.permissions.filter((one) => !had.has(JSON.stringify(one)))
  const removed = connection.connector?.manifest.permissions.filter((one) => !has.has(JSON.stringify(one))) ?? []
  const isSame =
    !difference.widens && removed.length === 0 && asked.length === 0 && difference.settings_removed.length === 0
  const go = async () => {
    setTried(true)
    if (!settings.validate() || (administer && difference.widens && !agreed)) return
    const done = await upgrade.run({
      id: connection.id,
      connector: target.id,
      settings: settings.changes(),
      accept: administer && agreed,
      locale: language,
    })
    if (!done) return
    const { upgraded } = done.upgrade_connection
    void notify('done', t(upgraded ? 'upgrade.done' : 'upgrade.asked', { version: target.version }))
    onClose()
  }
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        void go()
      }}
    >
      <Stack>
        {difference.widens && (
          <Alert color="yellow" icon={<IconShieldExclamation aria-hidden />} title={t('upgrade.more')}>
            <Stack gap="sm">
              {connection.connector && added.length > 0 ? (
                <PermissionList connector={target} only={added} />
              ) : (
                <List size="sm">
                  {difference.permissions_added.map((sentence) => (
                    <List.Item key={sentence}>{sentence}</List.Item>
                  ))}
                </List>
              )}
              {difference.kinds_added.map((kind) => (
                <Text key={kind} size="sm">
                  {kindName(kind as 'consumer')}
                </Text>
              ))}
              {administer ? (
                <Checkbox
                  label={t('upgrade.agree')}
                  checked={agreed}
                  error={tried && !agreed && t('upgrade.agreeFirst')}
                  onChange={(event) => setAgreed(event.currentTarget.checked)}
                />
              ) : (
                <Text size="sm">{t('upgrade.needsAdmin')}</Text>
              )}
            </Stack>
          </Alert>
        )}
        {isSame && <Text size="sm">{t('upgrade.same')}</Text>}
        {connection.connector && removed.length > 0 && (
          <Stack gap="xs" component="section">
            <Title order={3} size="h3">
              {t('upgrade.less')}
            </Title>
            <PermissionList connector={connection.connector} only={removed} />
          </Stack>
        )}
        {asked.length > 0 && (
          <Stack gap="xs" component="section">
            <Title order={3} size="h3">
              {t('upgrade.settings')}
            </Title>
            <SettingsFields settings={settings} />
          </Stack>
        )}
        {difference.settings_removed.length > 0 && (
          <Text size="sm">{t('upgrade.dropped', { keys: difference.settings_removed.join(', ') })}</Text>
        )}
        <ErrorAlert fault={isShownAtFields(upgrade.fault) ? undefined : upgrade.fault} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {kit('cancel')}
          </Button>
          <Button type="submit" loading={upgrade.running}>
            {t(difference.widens && !administer ? 'upgrade.ask' : 'upgrade.do', { version: target.version })}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
