import { expect, test } from 'vitest'
import bops from '../../connectors/bops/index.ts'
import httpJson from '../../connectors/http-json/index.ts'
import s3Notify from '../../connectors/s3-notify/index.ts'
import uniform from '../../connectors/uniform/index.ts'

// biome-ignore lint/suspicious/noExplicitAny: settings as somebody may fill them in, right or wrong.
type Validating = { validateSettings?(values: any, locale: string, context: any): void | Promise<void> }

const s3 = { endpoint: 'https://s3.example', notify_key_header: 'apiKey', link_days: 7 }
const json = {
  url: 'https://office.example/{{/event/id}}',
  success: '200',
  timeout_seconds: 30,
  authorization: 'none',
  idempotency_header: '',
}

test.each<[string, Validating, object, string, string]>([
  [
    'bops',
    bops,
    { url: 'camden' },
    'Address of BOPS: an address begins with https://.',
    'Adresse von BOPS: Eine Adresse beginnt mit https://.',
  ],
  [
    'bops',
    bops,
    { url: 'https://a.example', payload_pointer: 'odp' },
    'A JSON pointer begins with a slash',
    'Ein JSON-Pointer beginnt mit einem Schrägstrich',
  ],
  [
    'uniform',
    uniform,
    { token_url: 'https://a.example', submission_url: 'ftp://b' },
    '"ftp://b" is no address.',
    '„ftp://b“ ist keine Adresse.',
  ],
  ['s3-notify', s3Notify, { ...s3, link_days: 8 }, 'A link lasts 0 to 7 days', 'Ein Link gilt 0 bis 7 Tage'],
  [
    's3-notify',
    s3Notify,
    { ...s3, notify_key_header: 'a b' },
    "A header's name is made of letters",
    'Der Name einer Kopfzeile',
  ],
  [
    'http-json',
    httpJson,
    { ...json, url: 'https://{{/event/team}}.example/' },
    'Address: places can be filled in behind the host only',
    'Adresse: Ausgefüllt wird nur hinter dem Host',
  ],
  [
    'http-json',
    httpJson,
    { ...json, timeout_seconds: 0 },
    'Longest wait: 1 to 300 seconds.',
    'Längstes Warten: 1 bis 300 Sekunden.',
  ],
])('%s tells what to change, in English and German', async (_name, connector, values, english, german) => {
  const said = async (locale: string) => {
    try {
      await connector.validateSettings?.(values, locale, {})
      return 'nothing'
    } catch (error) {
      return (error as Error).message
    }
  }
  expect(await said('en')).toContain(english)
  expect(await said('de-CH')).toContain(german)
})

test.each<[string, Validating, object]>([
  ['bops', bops, { url: 'https://camden.bops.services', payload_pointer: '/odp' }],
  ['uniform', uniform, { token_url: 'https://a.example/token', submission_url: 'https://a.example' }],
  ['s3-notify', s3Notify, { ...s3, notify_url: '' }],
  ['http-json', httpJson, { ...json, headers: 'X-A: 1\r\nX-B: {{/event/id}}', body: '{"a": "{{/session}}"}' }],
])('%s takes settings that work', async (_name, connector, values) => {
  await expect((async () => connector.validateSettings?.(values, 'en', {}))()).resolves.toBeUndefined()
})
