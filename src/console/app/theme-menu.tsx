import { ActionIcon, useMantineColorScheme } from '@mantine/core'
import { IconMoon, IconSun, IconSunMoon } from '@tabler/icons-react'
import { MenuOnDemand } from './menu-on-demand.tsx'
import { useAppText } from './text.ts'

export const schemes = [
  ['light', IconSun],
  ['dark', IconMoon],
  ['auto', IconSunMoon],
] as const

const load = async () => (await import('./menus.tsx')).ThemeChoices

/** Light, dark, or as the system is. */
export function ThemeMenu() {
  const { t } = useAppText()
  const { colorScheme } = useMantineColorScheme()
  const Sign = schemes.find(([scheme]) => scheme === colorScheme)?.[1] ?? IconSunMoon
  return (
    <MenuOnDemand load={load}>
      <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t('theme')}>
        <Sign size={20} aria-hidden />
      </ActionIcon>
    </MenuOnDemand>
  )
}
