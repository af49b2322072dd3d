import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { prunePeople } from './prune-people.ts'

let ground: TestDatabase
beforeAll(async () => {
  ground = await testDatabase()
})
afterAll(() => ground?.close())

const days = (count: number) => new Date(Date.now() + count * 86_400_000)

it('what ended a month ago goes; what is live or ended lately stays', async () => {
  const { prisma, pool } = ground.database
  const { id: user_id } = await prisma.user.create({ data: { email: 'prune@people.test', name: 'Prune' } })
  const { id: team_id } = await prisma.team.create({ data: { slug: 'prune', name: 'Prune' } })
  const bytes = () => randomBytes(32)
  const signIn = (address: string, expires_at: Date, ended_at: Date | null = null) => ({
    user_id,
    refresh_hash: bytes(),
    address,
    expires_at,
    ended_at,
  })
  await prisma.signIn.createMany({
    data: [
      signIn('live', days(5)),
      signIn('ended lately', days(5), days(-3)),
      signIn('ended long ago', days(5), days(-31)),
      signIn('ran out long ago', days(-31)),
    ],
  })
  const invitation = (email: string, expires_at: Date) => ({
    team_id,
    email,
    role: 'viewer' as const,
    token_hash: bytes(),
    expires_at,
  })
  await prisma.invitation.createMany({ data: [invitation('open', days(1)), invitation('old', days(-31))] })
  await prisma.passwordReset.createMany({
    data: [
      { user_id, token_hash: bytes(), expires_at: days(-31) },
      { user_id, token_hash: bytes(), expires_at: days(-1) },
    ],
  })
  await prunePeople(pool)
  const left = await prisma.signIn.findMany({ orderBy: { address: 'asc' } })
  expect(left.map(({ address }) => address)).toEqual(['ended lately', 'live'])
  expect((await prisma.invitation.findMany()).map(({ email }) => email)).toEqual(['open'])
  expect(await prisma.passwordReset.count()).toBe(1)
})
