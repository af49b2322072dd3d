import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { configNames, readConfig } from '../config.ts'
import { readSettings, settingNames } from './settings.ts'

const text = readFileSync(path.join(import.meta.dirname, '../../.env.example'), 'utf8')
const example: Record<string, string> = Object.fromEntries(
  [...text.matchAll(/^# ([A-Z][A-Z0-9_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
)

const required = {
  SLUICE_SECRET_KEY: Buffer.alloc(32).toString('base64'),
  DATABASE_URL: example.DATABASE_URL,
  S3_ENDPOINT: example.S3_ENDPOINT,
  S3_ACCESS_KEY: 'key',
  S3_SECRET_KEY: 'secret',
  SMTP_URL: example.SMTP_URL,
}

test('.env.example explains every variable that is read, and no other', () => {
  expect(Object.keys(example).sort()).toEqual([...configNames, ...settingNames].sort())
})

test('a value that cannot be used is told with what is wanted', () => {
  const wrong = {
    GATEWAY_PORT: 'abc',
    GATEWAY_METRICS_PORT: '70000',
    MAX_COST: '0.5',
    DATABASE_POOL_SIZE: '1',
    WORKER_CONCURRENCY: 'many',
    LOG_LEVEL: 'loud',
    PUBLIC_URL: 'here',
  }
  expect(() => readConfig({ ...required, ...wrong })).toThrow(
    [
      'The configuration has errors:',
      '  DATABASE_POOL_SIZE: must be 2 or more',
      '  GATEWAY_PORT: must be a port number, 0 to 65535',
      '  PUBLIC_URL: must be a URL such as https://sluice.example.org',
      '  MAX_COST: must be a whole number',
    ].join('\n'),
  )
  expect(() => readConfig({ ...required, ...wrong })).toThrow('GATEWAY_METRICS_PORT: must be a port number, 0 to 65535')
  expect(() => readConfig({ ...required, ...wrong })).toThrow('WORKER_CONCURRENCY: must be a number')
  expect(() => readConfig({ ...required, ...wrong })).toThrow('LOG_LEVEL: must be one of trace, debug, info')
  expect(() => readSettings({ EMBEDDED_S3_PORT: 'x' })).toThrow('EMBEDDED_S3_PORT: must be a port number, 0 to 65535')
})

test('the values in .env.example are the defaults', () => {
  expect(readConfig({ ...example, ...required })).toEqual(readConfig(required))
  expect(readSettings(example)).toEqual(readSettings({}))
})
