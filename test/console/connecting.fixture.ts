/** A connector that the console's tests install as an admin does: every type of setting, and a second version that may do more. */
const code = (version: string) => `
const text = (source) => new TextDecoder().decode(source)

export default {
  async consume({ event, settings, log }) {
    log.info('Office ' + settings.office + ' has ' + event.id + '.')
    if (settings.strict) throw new Error('The office is closed.')
    return { returnCode: 0, message: 'Handed over by ${version}.' }
  },

  convertRawSource(source) {
    const { number, ...data } = JSON.parse(text(source))
    return { session: { data }, key: String(number), message: 'Taken as ' + number + '.' }
  },

  extractMetadata(source) {
    return { mimeType: 'application/json', description: 'Number ' + JSON.parse(text(source)).number }
  },

  validateSettings({ office }, locale) {
    if (office === 'nowhere') throw new Error(locale.startsWith('de') ? 'Dieses Amt gibt es nicht.' : 'There is no such office.')
  },

  getLabelForKey(key, locale) {
    if (key === 'office') return locale.startsWith('de') ? 'Amt' : 'Office that takes it'
  },

  async testConnection({ office }) {
    return 'Office ' + office + ' answers.'
  },
}
`

const manifest = {
  implementation: 'org.example.office',
  name: 'Office desk',
  author: 'Example Ltd',
  description: 'Hands each application to the desk of an office, and takes its decisions.',
  url: 'https://example.org/office',
  privacyPolicyUrl: 'https://example.org/privacy',
  license: 'Apache-2.0',
  kinds: ['consumer', 'webhook'],
  inbound: { authentication: 'secret', reply: 'stored' },
}

const settings = [
  { key: 'office', label: 'Office', type: 'STRING', mandatory: true, group: 'Desk' },
  { key: 'address', label: 'Address of the API', type: 'STRING', group: 'Desk', default: 'https://desk.example.org' },
  {
    key: 'letter',
    label: 'Covering letter',
    type: 'LONG_STRING',
    group: 'Desk',
    description: 'Goes with each application.',
  },
  { key: 'token', label: 'Token', type: 'PASSWORD', mandatory: true, group: 'Access' },
  { key: 'since', label: 'Since', type: 'DATE', group: 'Access' },
  { key: 'limit', label: 'Limit', type: 'INT', default: 100 },
  {
    key: 'tone',
    label: 'Tone',
    type: 'STRING',
    options: [
      { value: 'plain', label: 'Plain' },
      { value: 'formal', label: 'Formal' },
    ],
    default: 'plain',
  },
  { key: 'strict', label: 'Strict', type: 'BOOLEAN', default: false },
  { key: 'count', label: 'Counter of its own', type: 'INTERNAL' },
]

export interface Office {
  /** 1.1.0 calls a further host and wants to know a region. */
  readonly version: '1.0.0' | '1.1.0'
  readonly name?: string
  readonly implementation?: string
}

/** The files of the package. */
export function officeFiles({ version, ...named }: Office): Record<string, string> {
  const more = version === '1.1.0'
  return {
    'connector.json': JSON.stringify({
      ...manifest,
      ...named,
      version,
      permissions: [{ setting: 'address' }, 'files', ...(more ? [{ socket: 'archive.example.org' }] : [])],
      settings: [...settings, ...(more ? [{ key: 'region', label: 'Region', type: 'STRING', mandatory: true }] : [])],
    }),
    'index.js': code(version),
  }
}

/** Awaits order-1 and order-2; each payload says its id. */
export const hubFiles = {
  'connector.json': JSON.stringify({
    ...manifest,
    implementation: 'org.example.hub',
    name: 'Order hub',
    version: '1.0.0',
    kinds: ['two-phase-producer'],
    permissions: [],
    settings: [],
  }),
  'index.js': `
const read = (source) => JSON.parse(new TextDecoder().decode(source))

export default {
  getRawSources: () => ['order-1', 'order-2'],
  getExternalId: (source) => read(source).id,
  convertRawSource(source) {
    const { id, ...data } = read(source)
    return { session: { data }, key: id, message: 'Order taken.' }
  },
}
`,
}

/** A modifier that waits for its address to answer, and keeps with the session what it said. */
export const gateFiles = {
  'connector.json': JSON.stringify({
    ...manifest,
    implementation: 'org.example.gate',
    name: 'Gate',
    version: '1.0.0',
    kinds: ['modifier'],
    inbound: undefined,
    permissions: [{ setting: 'address' }],
    settings: [{ key: 'address', label: 'Address', type: 'STRING', mandatory: true }],
  }),
  'index.js': `
export default {
  async modify(session, { settings, extensionData, request }) {
    const { statusCode } = await request.get(settings.address)
    extensionData['org.example.gate'] = { gate: 'opened with ' + statusCode }
  },
}
`,
}
