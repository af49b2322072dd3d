import { Code, List, Text, ThemeIcon } from '@mantine/core'
import {
  IconFileText,
  IconFolder,
  IconMail,
  IconMailbox,
  IconServer,
  IconShieldCheck,
  IconWorld,
} from '@tabler/icons-react'
import type { ReactNode } from 'react'
import type { PageText } from '../../i18n/texts.ts'
import type en from './en.json'
import { type ConnectorRow, type Permission, settingsOf } from './manifest.ts'
import { usePartsText } from './text.ts'

const icons = {
  mail: IconMail,
  files: IconFileText,
  store: IconFolder,
  mailbox: IconMailbox,
  sftp: IconServer,
} as const

export interface PermissionListProps {
  readonly connector: ConnectorRow
  /** Only these, by their place in the manifest. @default all */
  readonly only?: readonly Permission[]
}

/** What a connector may do beyond computing, one sentence each, in the person's language. */
export function PermissionList({ connector, only = connector.manifest.permissions }: PermissionListProps) {
  const { t } = usePartsText()
  if (only.length === 0) {
    return (
      <Text size="sm" style={{ display: 'flex', alignItems: 'center', gap: 10 }}>
        <Sign icon={IconShieldCheck} />
        {t('permission.none')}
      </Text>
    )
  }
  return (
    <List
      listStyleType="none"
      spacing={6}
      size="sm"
      center
      aria-label={t('permissions')}
      styles={{ itemLabel: { lineHeight: 1.5 } }}
    >
      {only.map((permission) => (
        <List.Item key={JSON.stringify(permission)} icon={<Sign icon={iconOf(permission)} />}>
          <PermissionSentence permission={permission} connector={connector} />
        </List.Item>
      ))}
    </List>
  )
}

interface SentenceProps {
  readonly permission: Permission
  readonly connector: ConnectorRow
}

function PermissionSentence({ permission, connector }: SentenceProps): ReactNode {
  const { t, language } = usePartsText()
  if (typeof permission === 'string') return sentenceOf(permission, t)
  if ('socket' in permission) {
    return <WithHost sentence={t('permission.socket', { host: mark })} host={permission.socket} />
  }
  const item = settingsOf(connector, language).find(({ key }) => key === permission.setting)
  const setting = item?.label ?? permission.setting
  if (!item?.default) return t('permission.setting', { setting })
  return <WithHost sentence={t('permission.settingDefault', { setting, host: mark })} host={String(item.default)} />
}

/** Where the host is put into the sentence, so that it can stand out from the words around it. */
const mark = '\u0000'

function WithHost({ sentence, host }: { readonly sentence: string; readonly host: string }) {
  const [before, after] = sentence.split(mark)
  return (
    <>
      {before}
      <Code style={{ overflowWrap: 'anywhere' }}>{host}</Code>
      {after}
    </>
  )
}

/** A capability of a later version of the gateway is at least told by its name. */
function sentenceOf(capability: string, t: PageText<typeof en>['t']): string {
  return capability in icons
    ? t(`permission.${capability as keyof typeof icons}`)
    : t('permission.other', { name: capability })
}

function iconOf(permission: Permission): typeof IconWorld {
  if (typeof permission !== 'string') return IconWorld
  return permission in icons ? icons[permission as keyof typeof icons] : IconShieldCheck
}

function Sign({ icon: Icon }: { readonly icon: typeof IconWorld }) {
  return (
    <ThemeIcon variant="light" color="gray" size={26} aria-hidden>
      <Icon size={16} />
    </ThemeIcon>
  )
}
