/**
 * Trusted documents: an allow list of operations, by id. While it is on, nothing
 * else runs, whoever asks. Off by default (`TRUSTED_DOCUMENTS`).
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parse } from 'graphql'
import { messageOf, SluiceError } from '../errors.ts'

export interface TrustedDocuments {
  /** The document with this id, or with this SHA-256 of its text in hexadecimal. */
  byId(id: string): string | undefined
  /** Whether this very text is one of them. */
  has(query: string): boolean
}

/**
 * Reads a JSON file that maps ids to documents: `{ "sessions-1": "query { sessions { id } }" }`. Relay's
 * `persisted.json` has this form.
 *
 * @throws SluiceError CONFIGURATION when the file cannot be read or a document in it cannot be parsed.
 */
export function readTrustedDocuments(file: string): TrustedDocuments {
  return trustedDocuments(documentsOf(file))
}

export function trustedDocuments(documents: Readonly<Record<string, string>>): TrustedDocuments {
  const texts = new Set(Object.values(documents))
  const byHash = [...texts].map((text): [string, string] => [createHash('sha256').update(text).digest('hex'), text])
  const known = new Map([...byHash, ...Object.entries(documents)])
  return { byId: (id) => known.get(id), has: (query) => texts.has(query) }
}

function documentsOf(file: string): Record<string, string> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('it must be a JSON object')
    for (const [id, document] of Object.entries(value)) {
      if (typeof document !== 'string') throw new Error(`"${id}" must be a text`)
      try {
        parse(document)
      } catch (error) {
        throw new Error(`"${id}": ${messageOf(error)}`)
      }
    }
    return value as Record<string, string>
  } catch (error) {
    throw new SluiceError('CONFIGURATION', `TRUSTED_DOCUMENTS: ${file} cannot be used: ${messageOf(error)}.`, {
      cause: error,
    })
  }
}
