import { expect, it } from 'vitest'
import { checkNewPassword, hashPassword, passwordMatches } from './password.ts'

const email = 'robin.example@people.test'

it.each([
  ['too short', 'nine char', /at least 10/],
  ['too long', 'long '.repeat(50), /at most 200/],
  ['very common', 'Password123', /one of the first/],
  ['of few different characters', 'abababababab', /one of the first/],
  ['the address', email.toUpperCase(), /your e-mail address/],
  ['the name in the address', 'robin.example', /your e-mail address/],
])('a password that is %s is refused', async (_, password, message) => {
  await expect(checkNewPassword(password, email)).rejects.toThrow(message)
})

it.each([['correct horse battery'], ['žluťoučký kůň'], ['👍👎🌍🌎🌏🚀🚁🚂🚃🚄']])(
  '%s is accepted',
  async (password) => {
    await expect(checkNewPassword(password, email)).resolves.toBeUndefined()
  },
)

it('the same characters match however they are composed', async () => {
  const hash = await hashPassword('Žluťoučký kůň'.normalize('NFC'))
  expect(hash).toMatch(/^\$argon2id\$/)
  expect(await passwordMatches(hash, 'Žluťoučký kůň'.normalize('NFD'))).toBe(true)
  expect(await passwordMatches(hash, 'žluťoučký kůň')).toBe(false)
})

it('without a hash nothing matches', async () => {
  expect(await passwordMatches(null, 'nobody has this password')).toBe(false)
})
