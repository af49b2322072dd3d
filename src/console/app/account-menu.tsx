import { ActionIcon, Avatar, Menu, Text, Tooltip } from '@mantine/core'
import { IconLogout, IconUserCog } from '@tabler/icons-react'
import { Link } from 'react-router'
import { usePerson, useSignIn } from './context.tsx'
import { useAppText } from './text.ts'

/** Who is signed in, their account, and the way out. */
export function AccountMenu() {
  const { t } = useAppText()
  const { name, email } = usePerson()
  const signIn = useSignIn()
  const label = t('account.menu', { name: name || email })
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <Tooltip label={label}>
          <ActionIcon variant="subtle" color="gray" size="lg" radius="xl" aria-label={label}>
            <Avatar size={30} radius="xl" color="water" variant="filled" alt="" />
          </ActionIcon>
        </Tooltip>
      </Menu.Target>
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
