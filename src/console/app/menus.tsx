/** The shell's menus: loaded when the first of them is wanted. */
import { type MantineColorScheme, Menu, Text, Tooltip, useMantineColorScheme } from '@mantine/core'
import { IconLogout, IconUserCog } from '@tabler/icons-react'
import { type ReactElement, useState } from 'react'
import { Link, matchPath, useLocation, useNavigate } from 'react-router'
import { type Language, languages, setLanguage } from '../i18n/texts.ts'
import { platform, usePerson, useSignIn, useTeamChoice } from './context.tsx'
import { pages, platformStart } from './pages.ts'
import { useAppText } from './text.ts'
import { schemes } from './theme-menu.tsx'

interface MenuProps {
  /** The button that opens it. */
  readonly target: ReactElement<Record<string, unknown>>
}

/** The kit gives what it says of the menu to the target's own child: a tooltip between the two would swallow it. */
function NamedTarget({ name, target }: MenuProps & { readonly name: string }) {
  return (
    <Tooltip label={name}>
      <span style={{ display: 'inline-flex' }}>
        <Menu.Target>{target}</Menu.Target>
      </span>
    </Tooltip>
  )
}

/** From so many teams on, one finds a team by its name. */
const manyTeams = 8

export function LanguageChoices({ target }: MenuProps) {
  const { t, language } = useAppText()
  return (
    <Menu position="bottom-end" width={160}>
      <NamedTarget name={t('language')} target={target} />
      <Menu.Dropdown>
        <Menu.RadioGroup value={language} onChange={(value) => void setLanguage(value as Language)}>
          {Object.entries(languages).map(([code, name]) => (
            <Menu.RadioItem key={code} value={code} lang={code} closeMenuOnClick>
              {name}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
      </Menu.Dropdown>
    </Menu>
  )
}

export function ThemeChoices({ target }: MenuProps) {
  const { t } = useAppText()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  return (
    <Menu position="bottom-end" width={180}>
      <NamedTarget name={t('theme')} target={target} />
      <Menu.Dropdown>
        <Menu.RadioGroup value={colorScheme} onChange={(value) => setColorScheme(value as MantineColorScheme)}>
          {schemes.map(([scheme]) => (
            <Menu.RadioItem key={scheme} value={scheme} closeMenuOnClick>
              {t(`theme.${scheme}`)}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
      </Menu.Dropdown>
    </Menu>
  )
}

export function AccountChoices({ target }: MenuProps) {
  const { t } = useAppText()
  const { name, email } = usePerson()
  const signIn = useSignIn()
  return (
    <Menu position="bottom-end" width={240}>
      <NamedTarget name={t('account.menu', { name: name || email })} target={target} />
      <Menu.Dropdown>
        <Menu.Label>
          <Text component="span" size="sm" fw={600} c="var(--mantine-color-text)" display="block" truncate>
            {name}
          </Text>
          <Text component="span" size="xs" display="block" truncate>
            {email}
          </Text>
        </Menu.Label>
        <Menu.Divider />
        <Menu.Item component={Link} to="/account" leftSection={<IconUserCog size={16} aria-hidden />}>
          {t('account.settings')}
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => void signIn.out()}>
          {t('account.signOut')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}

/** A page that shows one thing of the team before gives way to its list; one that is not there, to the first that is. */
function useChoice(): (id: string) => void {
  const { choose } = useTeamChoice()
  const { pathname } = useLocation()
  const navigate = useNavigate()
  return (id) => {
    const list = /^\/(integrations|flows|webhooks|connections)\/./.exec(pathname)?.[1]
    const wanted = list ? `/${list}` : pathname
    const isThere = id !== platform || pages.some((page) => page.platform && matchPath(page.path, wanted))
    const next = isThere ? wanted : platformStart
    choose(id)
    if (next !== pathname) void navigate(next)
  }
}

export function TeamChoices({ target }: MenuProps) {
  const { t } = useAppText()
  const { teams, isAdmin } = usePerson()
  const { team, isPlatform } = useTeamChoice()
  const choose = useChoice()
  const [sought, setSought] = useState('')
  const found = teams.filter(({ name }) => name.toLowerCase().includes(sought.trim().toLowerCase()))
  return (
    <Menu position="bottom-start" width={280}>
      <Menu.Target>{target}</Menu.Target>
      <Menu.Dropdown>
        {teams.length >= manyTeams && (
          <Menu.Search
            aria-label={t('team.search')}
            placeholder={t('team.search')}
            value={sought}
            onChange={(event) => setSought(event.currentTarget.value)}
          />
        )}
        <div style={{ maxHeight: '60dvh', overflowY: 'auto' }}>
          <Menu.RadioGroup value={isPlatform ? platform : (team?.id ?? null)} onChange={choose}>
            {isAdmin && sought.trim() === '' && (
              <>
                <Menu.RadioItem value={platform} closeMenuOnClick>
                  {t('platform')}
                  <Text component="span" size="xs" c="dimmed" display="block">
                    {t('platform.text')}
                  </Text>
                </Menu.RadioItem>
                {teams.length > 0 && <Menu.Divider />}
              </>
            )}
            {found.map(({ id, name }) => (
              <Menu.RadioItem key={id} value={id} closeMenuOnClick>
                {name}
              </Menu.RadioItem>
            ))}
          </Menu.RadioGroup>
        </div>
        {found.length === 0 && sought.trim() !== '' && <Menu.Label>{t('team.notFound')}</Menu.Label>}
      </Menu.Dropdown>
    </Menu>
  )
}
