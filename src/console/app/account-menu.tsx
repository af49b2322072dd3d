import { ActionIcon, Avatar } from '@mantine/core'
import { usePerson } from './context.tsx'
import { MenuOnDemand } from './menu-on-demand.tsx'
import { useAppText } from './text.ts'

const load = async () => (await import('./menus.tsx')).AccountChoices

/** Who is signed in, their account, and the way out. */
export function AccountMenu() {
  const { t } = useAppText()
  const { name, email } = usePerson()
  return (
    <MenuOnDemand load={load}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        radius="xl"
        aria-label={t('account.menu', { name: name || email })}
      >
        <Avatar size={30} radius="xl" color="water" variant="filled" alt="" />
      </ActionIcon>
    </MenuOnDemand>
  )
}
