/**
 * The form of keys and secrets. Both name their environment, so that one from
 * staging is refused in production by name, and end in a checksum, so that a
 * typing mistake is refused without asking the database. Underscores, so that a
 * double click selects the whole. Published for secret scanners: docs/security.md.
 *
 *     key     sluice_<environment>_<16 characters>_<6 checksum>            public, names the credential
 *     secret  sluicesecret_<environment>_<43 characters>_<6 checksum>      shown once
 */
import { randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { SluiceError } from '../errors.ts'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Matches keys. */
export const keyPattern = /^sluice_([a-z][a-z0-9]{0,15})_([0-9A-Za-z]{16})_([0-9A-Za-z]{6})$/
/** Matches secrets; scanners should treat a match as a leak. */
export const secretPattern = /^sluicesecret_([a-z][a-z0-9]{0,15})_([0-9A-Za-z]{43})_([0-9A-Za-z]{6})$/

/** A new key: 95 bits of randomness, enough to never meet another. */
export function newKey(environment: string): string {
  return withChecksum(`sluice_${environment}_${random(16)}`)
}

/** A new secret: 256 bits of randomness. */
export function newSecret(environment: string): string {
  return withChecksum(`sluicesecret_${environment}_${random(43)}`)
}

/**
 * Checks a key's form before anything is looked up.
 *
 * @throws SluiceError UNAUTHENTICATED when it is no key, mistyped, or of another environment.
 */
export function checkKey(key: string, environment: string): void {
  const match = keyPattern.exec(key)
  if (!match)
    throw unauthenticated('This is not an API key of Sluice. A key looks like sluice_<environment>_<id>_<checksum>.')
  if (withChecksum(key.slice(0, -7)) !== key)
    throw unauthenticated('The API key has a typing mistake: its checksum does not fit. Copy it again.')
  if (match[1] !== environment) {
    throw unauthenticated(
      `The API key is of the environment "${match[1]}", this is "${environment}". Keys work in one environment only.`,
    )
  }
}

/** Whether this has the form of a secret, with a checksum that fits. Says nothing about whose it is. */
export function isSecret(text: string): boolean {
  return secretPattern.test(text) && withChecksum(text.slice(0, -7)) === text
}

/** A secret's checksum: shown to operators, so that they can tell two secrets apart. */
export function secretEnding(secret: string): string {
  return secret.slice(-6)
}

function unauthenticated(message: string): SluiceError {
  return new SluiceError('UNAUTHENTICATED', message)
}

function withChecksum(body: string): string {
  let value = crc32(body)
  let text = ''
  for (let digit = 0; digit < 6; digit += 1) {
    text = alphabet[value % 62] + text
    value = Math.floor(value / 62)
  }
  return `${body}_${text}`
}

function random(length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(62)]).join('')
}
