/** What a connector is tried with: a session, its files, and settings, out of files of the author's. */
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { SluiceError } from '../../errors.ts'
import { settingsThatNameHosts } from '../hosts.ts'
import type { Manifest, SettingItem } from '../manifest.ts'
import { checkRoom, type FileInfo, type RunFiles, type RunStore } from '../run-files.ts'
import { CallRefused } from '../sandbox/process.ts'
import type { RunInput } from '../sandbox/protocol.ts'
import { checkSettings, completeSettings, completeState } from '../settings.ts'
import { knownTypeOf } from './mime.ts'

export interface Sample {
  readonly input: RunInput
  /** PASSWORD settings by key. */
  readonly secrets: Readonly<Record<string, string>>
  /** Path of each file of the session, by its name there. */
  readonly files: Readonly<Record<string, string>>
}

export interface SampleFiles {
  /** JSON: a session's data, or `{ session, event, trip, config, state, delivery, files }`. @default samples/session.json */
  readonly session?: string
  /** JSON: values of the settings. @default samples/settings.json */
  readonly settings?: string
}

/** Where nobody says anything else. */
export const sampleEvent = {
  id: '0198a0de-0000-7000-8000-000000000001',
  type: 'session.submitted',
  kind: 'application',
  team: 'camden',
  teamName: 'Camden',
  flow: 'apply-for-planning-permission',
  flowName: 'Apply for planning permission',
  paymentID: null,
  config: {},
  schemaUrl: null,
  revision: 1,
  submittedAt: '2026-01-31T09:30:00.000Z',
} as const

const parts = ['session', 'event', 'trip', 'config', 'state', 'delivery', 'files', 'extensionData']

/** @throws SluiceError for a file that is named and not there, is not JSON, or does not fit the manifest. */
export async function readSample(
  root: string,
  manifest: Manifest,
  { session, settings }: SampleFiles,
): Promise<Sample> {
  const sessionFile = session ?? path.join(root, 'samples/session.json')
  const given = await readJson(sessionFile, session !== undefined)
  const whole = isObject(given) && 'session' in given ? given : { session: given ?? { applicant: 'Ada Lovelace' } }
  const unknown = Object.keys(whole).find((key) => !parts.includes(key))
  if (unknown) {
    throw new SluiceError('VALIDATION_FAILED', `${sessionFile}: "${unknown}" is not one of ${parts.join(', ')}.`)
  }
  const values =
    (await readJson(settings ?? path.join(root, 'samples/settings.json'), settings !== undefined)) ??
    inventedSettings(manifest)
  const split = checkSettings(manifest, values)
  const files = isObject(whole.files) ? (whole.files as Record<string, string>) : {}
  return {
    input: {
      session: whole.session,
      event: { ...sampleEvent, ...(isObject(whole.event) ? whole.event : {}) },
      trip: whole.trip ?? null,
      extensionData: isObject(whole.extensionData) ? whole.extensionData : {},
      config: whole.config ?? {},
      settings: completeSettings(manifest, split.settings, split.secrets),
      state: completeState(manifest, isObject(whole.state) ? whole.state : {}),
      delivery: whole.delivery ?? { id: '0198a0de-0000-7000-8000-00000000000d', attempt: 1 },
    },
    secrets: split.secrets,
    files: Object.fromEntries(
      Object.entries(files).map(([name, file]) => [name, path.resolve(path.dirname(sessionFile), file)]),
    ),
  }
}

/** Values that fit mandatory settings. An address fits most places that take a line of text. */
function inventedSettings(manifest: Manifest): Record<string, string | number | boolean> {
  const namesHost = new Set(settingsThatNameHosts(manifest))
  const invent = (item: SettingItem) => {
    const { type, options } = item
    if (options?.[0]) return type === 'INT' ? Number(options[0].value) : options[0].value
    if (type === 'INT') return 1
    if (type === 'BOOLEAN') return true
    if (namesHost.has(item)) return 'https://office.example'
    return type === 'DATE' ? '2026-01-31' : type === 'PASSWORD' ? 'a-secret-of-samples' : 'office@example.org'
  }
  return Object.fromEntries(
    manifest.settings
      .filter((item) => item.mandatory && item.default === undefined && item.type !== 'INTERNAL')
      .map((item) => [item.key, invent(item)]),
  )
}

/** Files of the sample in place of a session's. */
export function folderFiles(files: Sample['files']): RunFiles {
  const info = async (name: string, file: string): Promise<FileInfo & { size: number }> => {
    const { size } = await stat(file).catch((cause) => {
      throw new CallRefused('NOT_FOUND', `The sample has no file ${file}.`, { cause })
    })
    return { id: name, name, type: knownTypeOf(name), size, sha256: null, status: 'stored' }
  }
  return {
    list: () => Promise.all(Object.entries(files).map(([name, file]) => info(name, file))),
    async open(name) {
      const file = files[name]
      if (file === undefined) throw new CallRefused('NOT_FOUND', `The session has no file "${name}".`)
      const again = async () => createReadStream(file)
      return { ...(await info(name, file)), stream: await again(), again }
    },
  }
}

/** A store that lasts as long as the command. */
export function memoryStore(): RunStore {
  const kept = new Map<string, Buffer>()
  const list = async () => [...kept].map(([name, { length }]) => ({ name, size: length }))
  return {
    list,
    get: async (name) => kept.get(name),
    async put(name, content) {
      checkRoom(await list(), name, content.length)
      kept.set(name, content)
    },
    async remove(name) {
      kept.delete(name)
    },
  }
}

async function readJson(file: string, isNamed: boolean): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause) => {
    if (!isNamed) return undefined
    throw new SluiceError('VALIDATION_FAILED', `${file} cannot be read: ${cause.message}`, { cause })
  })
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new SluiceError('VALIDATION_FAILED', `${file} is not JSON: ${(cause as Error).message}.`, { cause })
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
