import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { configNames, readConfig } from '../config.ts'
import { readSettings, settingNames } from './settings.ts'

const text = readFileSync(path.join(import.meta.dirname, '../../.env.example'), 'utf8')
const example: Record<string, string> = Object.fromEntries(
  [...text.matchAll(/^# ([A-Z][A-Z0-9_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
)

test('.env.example explains every variable that is read, and no other', () => {
  expect(Object.keys(example).sort()).toEqual([...configNames, ...settingNames].sort())
})

test('the values in .env.example are the defaults', () => {
  const required = {
    SLUICE_SECRET_KEY: Buffer.alloc(32).toString('base64'),
    DATABASE_URL: example.DATABASE_URL,
    S3_ENDPOINT: example.S3_ENDPOINT,
    S3_ACCESS_KEY: 'key',
    S3_SECRET_KEY: 'secret',
    SMTP_URL: example.SMTP_URL,
  }
  expect(readConfig({ ...example, ...required })).toEqual(readConfig(required))
  expect(readSettings(example)).toEqual(readSettings({}))
})
