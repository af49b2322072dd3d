/** First requests, with the team's own names in them. A secret is never known here: it stands as a variable. */

export interface ExampleValues {
  /** `https://sluice.example` */
  readonly origin: string
  readonly consumerKey: string
  readonly sourceKey: string
  readonly team: string
  readonly flow: string
}

export const examples = {
  read: ({ origin, consumerKey }: ExampleValues) => `# export SLUICE_SECRET='…'   the secret, which only you have
curl ${origin}/graphql \\
  --user "${consumerKey}:$SLUICE_SECRET" \\
  --header 'content-type: application/json' \\
  --data '{"query": "{ sessions(order_by: {submitted_at: desc}, limit: 5) { id status submitted_at } }"}'
`,
  token: ({ origin, consumerKey }: ExampleValues) => `# A token for 15 minutes, instead of the secret with each request
TOKEN=$(curl --silent ${origin}/oauth/token \\
  --user "${consumerKey}:$SLUICE_SECRET" \\
  --data grant_type=client_credentials | jq --raw-output .access_token)

curl ${origin}/graphql \\
  --header "authorization: Bearer $TOKEN" \\
  --header 'content-type: application/json' \\
  --data '{"query": "{ whoami { kind role } }"}'
`,
  rest: ({ origin, consumerKey }: ExampleValues) => `curl "${origin}/v1/sessions?limit=5" \\
  --user "${consumerKey}:$SLUICE_SECRET"
`,
  live: ({ origin, consumerKey }: ExampleValues) => `// npm install graphql-ws
import { createClient } from 'graphql-ws'

const basic = Buffer.from(\`${consumerKey}:\${process.env.SLUICE_SECRET}\`).toString('base64')
const client = createClient({
  url: '${socketUrl(origin)}',
  connectionParams: { Authorization: \`Basic \${basic}\` },
})

// The whole result now, and again whenever it differs
const query = 'subscription { sessions(order_by: { submitted_at: desc }, limit: 10) { id status submitted_at } }'
for await (const { data } of client.iterate({ query })) console.log(data.sessions)
`,
  webhook: () => `// npm install standardwebhooks
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'

const webhook = new Webhook(process.env.WEBHOOK_SECRET) // whsec_…, shown once when the webhook was made

createServer(async (request, response) => {
  try {
    const body = (await buffer(request)).toString('utf8')
    const event = webhook.verify(body, request.headers) // throws unless it is from Sluice, and new
    console.log(request.headers['webhook-id'], event)
    response.writeHead(204).end()
  } catch {
    response.writeHead(401).end()
  }
}).listen(4010)
`,
  submit: ({ origin, sourceKey, team, flow }: ExampleValues) => `curl ${origin}/graphql \\
  --user "${sourceKey}:$SLUICE_SECRET" \\
  --header 'content-type: application/json' \\
  --data '{
    "query": "mutation ($object: submit_session_input!) { submit_session(object: $object) { id created deliveries } }",
    "variables": {"object": {"team": "${team}", "flow": "${flow}", "data": {"hello": "world"}}}
  }'
`,
} as const

export type Example = keyof typeof examples

/** Where subscriptions go. */
export function socketUrl(origin: string): string {
  return `${origin.replace(/^http/, 'ws')}/graphql`
}
