import { AppShell, Box, Burger, Group, NavLink, Text } from '@mantine/core'
import { useDisclosure, useMediaQuery } from '@mantine/hooks'
import { Link, Outlet, useLocation, useNavigation } from 'react-router'
import { AccountMenu } from './account-menu.tsx'
import { ConnectionNotice } from './connection-notice.tsx'
import { platform, useCan, useTeamChoice } from './context.tsx'
import { LanguageMenu } from './language-menu.tsx'
import { Logo } from './logo.tsx'
import { menuOf } from './pages.ts'
import { TeamSwitcher } from './team-switcher.tsx'
import { useAppText } from './text.ts'
import { ThemeMenu } from './theme-menu.tsx'
import { useNewRoles } from './use-new-roles.ts'

const groups = ['watch', 'connect', 'team'] as const

/** Header, menu, and the page between them. */
export function Shell() {
  const { t } = useAppText()
  const [opened, { toggle, close }] = useDisclosure()
  const narrow = useMediaQuery('(max-width: 47.99em)', undefined, { getInitialValueInEffect: false })
  const { team, isPlatform } = useTeamChoice()
  const loading = useNavigation().state === 'loading'
  useNewRoles()
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 224, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding={{ base: 'md', md: 'xl' }}
    >
      <a className="sluice-skip" href="#main">
        {t('skip')}
      </a>
      {loading && <div className="sluice-progress" />}
      <AppShell.Header bg="var(--sluice-surface)">
        <Group h="100%" px={{ base: 'xs', sm: 'md' }} wrap="nowrap" justify="space-between" gap="xs">
          <Group wrap="nowrap" gap="xs" flex={1} miw={0}>
            <Burger
              hiddenFrom="sm"
              size="sm"
              opened={opened}
              onClick={toggle}
              aria-label={t(opened ? 'menu.close' : 'menu.open')}
              aria-expanded={opened}
              aria-controls="menu"
            />
            <Box component={Link} to="/" c="inherit" td="none" w={{ sm: 200 }} style={{ flexShrink: 0 }}>
              <Logo compact={narrow} />
            </Box>
            <TeamSwitcher />
          </Group>
          <Group wrap="nowrap" gap={2}>
            <LanguageMenu />
            <ThemeMenu />
            <AccountMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar
        id="menu"
        aria-label={t('menu.label')}
        bg="var(--sluice-surface)"
        // Out of sight is out of reach, for the keyboard too.
        inert={narrow && !opened}
      >
        <AppShell.Section grow p="xs" style={{ overflowY: 'auto' }}>
          <Menu onGo={close} />
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1} style={{ outline: 'none' }}>
        {/* Another team is another page: nothing of the one before may stay. */}
        <Box maw={1280} mx="auto" key={isPlatform ? platform : team?.id}>
          <ConnectionNotice />
          <Outlet />
        </Box>
      </AppShell.Main>
    </AppShell>
  )
}

function Menu({ onGo }: { readonly onGo: () => void }) {
  const { t } = useAppText()
  const { role } = useCan()
  const { isPlatform } = useTeamChoice()
  const { pathname } = useLocation()
  const entries = menuOf(role, isPlatform)
  return groups.map((group) => {
    const own = entries.filter(({ menu }) => menu.group === group)
    if (own.length === 0) return null
    return (
      <Box key={group} component="section" mb="sm" aria-labelledby={`menu-${group}`}>
        <Text id={`menu-${group}`} size="xs" fw={600} c="dimmed" px="sm" py={4}>
          {t(isPlatform && group === 'team' ? 'platform' : `menu.${group}`)}
        </Text>
        {own.map(({ path, title, menu: { icon: Icon } }) => {
          const active = path === '/' ? pathname === '/' : pathname === path || pathname.startsWith(`${path}/`)
          return (
            <NavLink
              key={path}
              component={Link}
              to={path}
              label={t(title)}
              leftSection={<Icon size={18} stroke={1.7} aria-hidden />}
              active={active}
              aria-current={active ? 'page' : undefined}
              onClick={onGo}
              style={{ borderRadius: 'var(--mantine-radius-md)' }}
            />
          )
        })}
      </Box>
    )
  })
}
