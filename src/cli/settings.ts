/** The variables that only `sluice start` and `sluice reset` read; all others are in `config.ts`. */
import path from 'node:path'
import { z } from 'zod'
import { port, readVariables } from '../config.ts'
import { SluiceError } from '../errors.ts'

const schema = z.object({
  /** Folder of everything that the embedded parts keep. */
  SLUICE_HOME: z.string().default('.sluice'),
  EMBEDDED_POSTGRES_PORT: port.default(15_432),
  EMBEDDED_S3_PORT: port.default(4568),
  EMBEDDED_SMTP_PORT: port.default(2525),
})

export type Settings = Readonly<z.infer<typeof schema>>

export const settingNames: readonly string[] = Object.keys(schema.shape)

/** @throws SluiceError CONFIGURATION that lists what is wrong. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = readVariables(schema, given)
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`)
    throw new SluiceError('CONFIGURATION', `The configuration has errors:\n${lines.join('\n')}`)
  }
  return { ...parsed.data, SLUICE_HOME: path.resolve(parsed.data.SLUICE_HOME) }
}
