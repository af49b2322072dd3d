import { ActionIcon, type MantineColorScheme, Menu, Tooltip, useMantineColorScheme } from '@mantine/core'
import { IconMoon, IconSun, IconSunMoon } from '@tabler/icons-react'
import { useAppText } from './text.ts'

const schemes = [
  ['light', IconSun],
  ['dark', IconMoon],
  ['auto', IconSunMoon],
] as const

/** Light, dark, or as the system is. */
export function ThemeMenu() {
  const { t } = useAppText()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const Sign = schemes.find(([scheme]) => scheme === colorScheme)?.[1] ?? IconSunMoon
  return (
    <Menu position="bottom-end" width={180}>
      <Menu.Target>
        <Tooltip label={t('theme')}>
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t('theme')}>
            <Sign size={20} aria-hidden />
          </ActionIcon>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.RadioGroup value={colorScheme} onChange={(value) => setColorScheme(value as MantineColorScheme)}>
          {schemes.map(([scheme]) => (
            <Menu.RadioItem key={scheme} value={scheme}>
              {t(`theme.${scheme}`)}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
      </Menu.Dropdown>
    </Menu>
  )
}
