/**
 * Secrets at rest: AES-256-GCM under the installation's key (`SLUICE_SECRET_KEY`).
 * A sealed value is `version (1 byte) | nonce (12) | tag (16) | ciphertext`.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { SluiceError } from '../errors.ts'

export interface Sealer {
  /** `purpose` is authenticated too: a value sealed for one use cannot be opened for another. */
  seal(plain: string, purpose: string): Buffer
  /** @throws SluiceError CONFIGURATION when the key is not the one it was sealed with. */
  open(sealed: Uint8Array, purpose: string): string
}

const version = 1

export function createSealer(secretKeyBase64: string): Sealer {
  const key = Buffer.from(secretKeyBase64, 'base64')
  return {
    seal(plain, purpose) {
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(purpose))
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
      return Buffer.concat([Buffer.from([version]), nonce, cipher.getAuthTag(), body])
    },
    open(sealed, purpose) {
      const bytes = Buffer.from(sealed)
      try {
        if (bytes[0] !== version) throw new Error(`unknown version ${bytes[0]}`)
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1, 13))
          .setAAD(Buffer.from(purpose))
          .setAuthTag(bytes.subarray(13, 29))
        return Buffer.concat([decipher.update(bytes.subarray(29)), decipher.final()]).toString('utf8')
      } catch (cause) {
        throw new SluiceError(
          'CONFIGURATION',
          'A stored secret could not be opened: SLUICE_SECRET_KEY is not the key it was sealed with. Bring that one back; "npm start" keeps its own in .sluice/secret.key.',
          { cause },
        )
      }
    },
  }
}
