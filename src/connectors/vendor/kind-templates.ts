/** What `connector new --kind` writes in place of a consumer's files. Each passes `check` and does something when it is run. */
import type { ConnectorKind } from '../manifest.ts'

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`

/** Files by name, relative to the connector's folder. */
export function kindFiles(kind: Exclude<ConnectorKind, 'consumer'>, name: string): Record<string, string> {
  const { description, code, samples } = templates[kind]
  const implementation = `org.example.${name}`
  return {
    'connector.json': json({
      implementation,
      name: name.charAt(0).toUpperCase() + name.slice(1).replaceAll('-', ' '),
      author: 'Example Ltd',
      version: '0.1.0',
      description,
      license: 'Apache-2.0',
      privacyPolicyUrl: 'https://example.org/privacy',
      kinds: [kind],
      permissions: kind.endsWith('producer') ? [{ socket: 'api.example.org' }] : [],
    }),
    'index.ts': code(implementation),
    ...samples,
    'samples/settings.json': json(settings),
  }
}

const settings = { token: 'a-token-of-the-staging-system' }
const settingsCode = `  settings: [{ key: 'token', type: 'PASSWORD', label: 'Token of the API', mandatory: true }],`
const booking = {
  referenceNumber: 'R4711',
  travelservices: [
    {
      travelServiceType: 'FLIGHT',
      segmentedLegs: [
        {
          segments: [
            {
              uuid: 'c8ec4565-d7d1-4c48-8ff7-a5eac3a5778f',
              departingFromLocation: { iataCode: 'ZRH' },
              departuretime: '2026-04-20T09:56:00',
              arrivingAtLocation: { iataCode: 'JFK' },
              arrivaltime: '2026-04-20T12:40:00',
            },
          ],
        },
      ],
    },
  ],
}

const convert = `  extractMetadata(source) {
    const { referenceNumber } = read(source)
    return { mimeType: 'application/json', description: \`Booking \${referenceNumber}\` }
  },
  convertRawSource(source) {
    const booking = read(source)
    // Fees of tickets belong on the tickets, whatever the source does with them.
    return { booking: assignTicketFees(booking), key: booking.referenceNumber ?? undefined }
  },`

const read = `/** A raw source is bytes: what the API sent. */
function read(source: Uint8Array): Booking {
  return JSON.parse(new TextDecoder().decode(source)) as Booking
}`

interface Template {
  readonly description: string
  readonly code: (implementation: string) => string
  readonly samples: Readonly<Record<string, string>>
}

const templates: Readonly<Record<Exclude<ConnectorKind, 'consumer'>, Template>> = {
  producer: {
    description: 'Fetches bookings from an API.',
    samples: {},
    code: () => `import { assignTicketFees, type Booking, defineConnector } from 'sluice/connector'

export default defineConnector({
${settingsCode}
  async getRawSources({ settings, request }) {
    const { statusCode, response } = await request.get<Booking[]>('https://api.example.org/bookings', {
      headers: { authorization: \`Bearer \${settings.token}\` },
    })
    if (statusCode !== 200) throw new Error(\`The API answered \${statusCode}.\`)
    // What was seen is not taken again: the id says which version of which booking it is.
    return response.map((booking) => ({
      source: JSON.stringify(booking),
      uniqueSourceId: \`\${booking.referenceNumber} \${booking.lastModified ?? ''}\`,
    }))
  },
${convert}
})

${read}
`,
  },
  'two-phase-producer': {
    description: 'Asks an API for bookings, which it sends later.',
    samples: { 'samples/payload.json': json(booking) },
    code: () => `import { assignTicketFees, type Booking, defineConnector } from 'sluice/connector'

export default defineConnector({
${settingsCode}
  /** Triggers, and yields the ids of what will come. */
  async getRawSources({ settings, request }) {
    const { statusCode, response } = await request.post<{ id: string }[]>(
      'https://api.example.org/exports',
      {},
      { headers: { authorization: \`Bearer \${settings.token}\` } },
    )
    if (statusCode !== 202) throw new Error(\`The API answered \${statusCode}.\`)
    return response.map(({ id }) => id)
  },
  validatePayload(source) {
    if (source.length === 0) throw new Error('The payload is empty.')
  },
  /** The id in a payload, as getRawSources yielded it. */
  getExternalId(source) {
    return String(read(source).referenceNumber)
  },
${convert}
})

${read}
`,
  },
  webhook: {
    description: 'Takes bookings that a platform sends.',
    samples: { 'samples/payload.json': json(booking) },
    code: () => `import { assignTicketFees, type Booking, defineConnector } from 'sluice/connector'

export default defineConnector({
${settingsCode}
  /** Throwing refuses the payload. */
  validatePayload(source, headers) {
    if (!headers['content-type']?.startsWith('application/json')) throw new Error('Send JSON.')
    if (typeof read(source).referenceNumber !== 'string') throw new Error('There is no referenceNumber.')
  },
${convert}
})

${read}
`,
  },
  modifier: {
    description: 'Writes into each booking how many segments it has.',
    samples: { 'samples/session.json': json({ session: booking, event: { kind: 'booking' } }) },
    code: (implementation) => `import { type Booking, defineConnector } from 'sluice/connector'

const me = '${implementation}'

export default defineConnector({
${settingsCode}
  modify(session, { event, extensionData, log }) {
    if (event.kind !== 'booking') return
    const booking = session as Booking
    const legs = (booking.travelservices ?? []).flatMap((service) => service.segmentedLegs ?? [])
    const count = legs.flatMap((leg) => leg.segments ?? []).length
    const comment = \`\${count} segments\`
    // It is called again for every change: when there is nothing to do, return nothing.
    if (booking.comment === comment) return
    log.info('Counted the segments.')
    extensionData[me] = {
      ...extensionData[me],
      ui: [{ contextType: 'BOOKING', contextUuid: event.id, labelKey: 'segments', valueType: 'INT', value: count }],
    }
    return { booking: { ...booking, comment } }
  },
  getLabelForKey: (key, locale) =>
    key === 'segments' ? (locale.startsWith('de') ? 'Anzahl Segmente' : 'Number of segments') : undefined,
})
`,
  },
}
