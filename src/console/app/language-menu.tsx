import { ActionIcon } from '@mantine/core'
import { IconLanguage } from '@tabler/icons-react'
import { MenuOnDemand } from './menu-on-demand.tsx'
import { useAppText } from './text.ts'

const load = async () => (await import('./menus.tsx')).LanguageChoices

/** Changes the language, at once. */
export function LanguageMenu() {
  const { t } = useAppText()
  return (
    <MenuOnDemand load={load}>
      <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t('language')}>
        <IconLanguage size={20} aria-hidden />
      </ActionIcon>
    </MenuOnDemand>
  )
}
