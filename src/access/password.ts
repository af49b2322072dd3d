/** Passwords of people: what is accepted, and hashing with argon2id, which runs on threads of its own. */
import argon2 from 'argon2'
import { SluiceError } from '../errors.ts'
import { argonOptions, type SlowHash } from './slow-hash.ts'

/** NIST SP 800-63B asks for 8 at least, and 64 at least to be accepted. Argon2 would take any length; people do not. */
const shortest = 10
const longest = 200

/**
 * The rules for a new password: long enough, not a very common one, not the address itself. No rule on which
 * characters it has: those make passwords worse (NIST SP 800-63B, 5.1.1.2).
 *
 * @throws SluiceError VALIDATION_FAILED that says which rule.
 */
export async function checkNewPassword(password: string, email: string): Promise<void> {
  const length = [...password].length
  if (length < shortest) throw refused(`The password is too short: use at least ${shortest} characters.`)
  if (length > longest) throw refused(`The password is too long: use at most ${longest} characters.`)
  const plain = password.toLowerCase()
  if (plain === email.toLowerCase() || plain === email.split('@')[0]?.toLowerCase()) {
    throw refused('The password is your e-mail address; choose another.')
  }
  if (new Set(plain).size < 4 || (await commonPasswords()).has(plain)) {
    throw refused('The password is one of the first that others would try; choose another, such as four random words.')
  }
}

export function hashPassword(password: string): Promise<string> {
  return argon2.hash(normal(password), argonOptions)
}

/** What nobody's password is measured against, so that an unknown address costs as much as a wrong password. */
const nobody = argon2.hash('nobody has this password', argonOptions)

/**
 * Whether it is the password of this hash. Without a hash it is not, at the same cost.
 *
 * @param slowHash what a gateway checks with, so that a flood of guesses has a short queue. @default argon2 itself
 * @throws SluiceError UNAVAILABLE when that queue is full.
 */
export async function passwordMatches(
  hash: string | null | undefined,
  password: string,
  slowHash: Pick<SlowHash, 'verify'> = argon2,
): Promise<boolean> {
  const matches = await slowHash.verify(hash ?? (await nobody), normal(password.slice(0, longest * 2)))
  return matches && Boolean(hash)
}

/** The same characters may be typed as different bytes. */
function normal(password: string): string {
  return password.normalize('NFKC')
}

function refused(message: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', message, { path: 'password' })
}

/** Of 49,000 common passwords, those that are long enough to be chosen here; loaded when the first one is. */
let common: Promise<ReadonlySet<string>> | undefined
function commonPasswords(): Promise<ReadonlySet<string>> {
  common ??= import('@zxcvbn-ts/language-common').then(({ dictionary }) => {
    const all = dictionary['passwords-common'] as readonly string[]
    return new Set(all.filter(({ length }) => length >= shortest))
  })
  return common
}
