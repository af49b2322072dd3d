/** The manifest's JSON Schema, for editors, vendors and registries. Made from the very schema that installing checks by. */
import { z } from 'zod'
import { advice, manifestSchema } from './manifest.ts'

/** Where the gateway serves it; also in the repository as docs/connector.schema.json. */
export const connectorSchemaPath = '/schemas/connector.json'

/**
 * JSON Schema, draft 2020-12, of `connector.json`. It is strict: a key that nobody
 * reads is refused. What no single key shows (a setting's key twice, a default that
 * does not fit its type) is found when a connector is checked or installed.
 */
export function connectorSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(manifestSchema, { io: 'input', target: 'draft-2020-12' }) as Json
  const properties = described(schema.properties as Json)
  return {
    $schema,
    title: 'connector.json',
    description: 'The manifest of a Sluice connector: what it is, what it may reach, what it must be told.',
    ...schema,
    properties: { $schema: { type: 'string' }, ...properties },
    examples: [
      {
        implementation: 'org.example.hand-over',
        name: 'Hand over',
        author: 'Example Ltd',
        version: '1.0.0',
        description: "Posts each application to the office's API.",
        privacyPolicyUrl: 'https://example.org/privacy',
        license: 'Apache-2.0',
        permissions: [{ socket: 'api.example.org' }],
        settings: [{ key: 'token', type: 'PASSWORD', mandatory: true, label: 'Token' }],
      },
    ],
  }
}

type Json = Record<string, unknown>

/** Each key says what to write, in the words of the messages. */
function described(properties: Json): Json {
  return Object.fromEntries(
    Object.entries(properties).map(([key, value]) => {
      const property = value as Json
      const description = advice[key]
      const items = property.items as Json | undefined
      return [
        key,
        {
          ...(description ? { description: `${description[0]?.toUpperCase()}${description.slice(1)}.` } : {}),
          ...property,
          ...(items?.properties ? { items: { ...items, properties: described(items.properties as Json) } } : {}),
        },
      ]
    }),
  )
}
