import { Box, Center, Group, Paper, Text } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { Outlet } from 'react-router'
import { LanguageMenu } from './language-menu.tsx'
import { Logo } from './logo.tsx'
import { ThemeMenu } from './theme-menu.tsx'

/** Around the pages of who is not signed in: a card in the middle. */
export function Entrance() {
  return (
    <Box mih="100vh" display="flex" style={{ flexDirection: 'column' }}>
      <Group component="header" justify="space-between" p="md">
        <Logo />
        <Group gap={4}>
          <LanguageMenu />
          <ThemeMenu />
        </Group>
      </Group>
      <Center component="main" id="main" tabIndex={-1} flex={1} p="md" pb={96} style={{ outline: 'none' }}>
        <Paper withBorder shadow="sm" p="xl" w="100%" maw={420} bg="var(--sluice-surface)">
          <Outlet />
        </Paper>
      </Center>
    </Box>
  )
}

/** Name and sign, where no link is wanted. */
export function EntranceTitle({ children }: { readonly children: string }) {
  useDocumentTitle(`${children} · Sluice`)
  return (
    <Text
      component="h1"
      id="page-title"
      tabIndex={-1}
      fz="1.375rem"
      fw={650}
      mt={0}
      mb="md"
      style={{ outline: 'none' }}
    >
      {children}
    </Text>
  )
}
