/** `connector new`: a folder that passes `check`, and a consumer's `test`, as it is, to be changed from there. */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { SluiceError } from '../../errors.ts'
import type { ConnectorKind } from '../manifest.ts'
import { kindFiles } from './kind-templates.ts'
import { sampleEvent } from './sample.ts'

/**
 * @param kind of the connector. @default 'consumer'
 * @param folder is made; its last part is the connector's name.
 * @returns the files, relative to the folder.
 * @throws SluiceError VALIDATION_FAILED for a name that cannot be used, CONFLICT for a folder with something in it.
 */
export async function newConnector(folder: string, kind: ConnectorKind = 'consumer'): Promise<readonly string[]> {
  const root = path.resolve(folder)
  const name = path.basename(root)
  if (!/^[a-z][a-z0-9-]{0,60}$/.test(name)) {
    throw new SluiceError(
      'VALIDATION_FAILED',
      `"${name}" cannot be the name of a connector. Write small letters, digits and hyphens, such as "hand-over".`,
    )
  }
  const there = await readdir(root).catch(() => [])
  if (there.length > 0) throw new SluiceError('CONFLICT', `${root} is there and not empty. Choose another name.`)
  const files: Record<string, string> = {
    ...filesOf(name, root),
    ...(kind === 'consumer' ? {} : kindFiles(kind, name)),
  }
  if (kind !== 'consumer') {
    // Recorded runs and sessions are what consumers are tried with.
    for (const file of Object.keys(files)) {
      if (file.startsWith('fixtures/') || (file === 'samples/session.json' && kind !== 'modifier')) delete files[file]
    }
  }
  for (const [file, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true })
    await writeFile(path.join(root, file), content)
  }
  return Object.keys(files)
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`

function filesOf(name: string, root: string): Record<string, string> {
  const title = name.charAt(0).toUpperCase() + name.slice(1).replaceAll('-', ' ')
  const session = { reference: 'HP/2026/0017', applicant: { name: 'Ada Lovelace' }, proposal: 'A loft conversion' }
  const settings = { office: 'north', token: 'a-token-of-the-staging-system' }
  const delivery = { id: '0198a0de-0000-7000-8000-00000000000d', attempt: 1 }
  const fixture = (answer: object, status: string, sent: number | null) => ({
    input: {
      session,
      event: sampleEvent,
      trip: null,
      config: {},
      settings: { office: settings.office, token: 'secret-of-token' },
      state: { sent: null },
      delivery,
    },
    calls: [
      {
        kind: 'request',
        argument: {
          headers: { authorization: 'Bearer secret-of-token', 'idempotency-key': delivery.id },
          method: 'POST',
          url: 'https://api.example.org/applications',
          body: { json: { office: settings.office, ...session } },
        },
        answer: { headers: { 'content-type': 'application/json' }, encoding: 'json', ...answer },
      },
    ],
    expect: { status, state: { sent } },
  })
  return {
    'connector.json': json({
      implementation: `org.example.${name}`,
      name: title,
      author: 'Example Ltd',
      version: '0.1.0',
      description: 'Posts each application to the API of an office.',
      license: 'Apache-2.0',
      privacyPolicyUrl: 'https://example.org/privacy',
      permissions: [{ socket: 'api.example.org' }],
    }),
    'index.ts': `import { defineConnector } from 'sluice/connector'

export default defineConnector({
  settings: [
    { key: 'office', type: 'STRING', label: 'Office', mandatory: true },
    { key: 'token', type: 'PASSWORD', label: 'Token of the API', mandatory: true },
    { key: 'sent', type: 'INTERNAL' },
  ],
  async consume({ session, settings, state, delivery, request, log }) {
    const { statusCode } = await request.post(
      'https://api.example.org/applications',
      { office: settings.office, ...session },
      { headers: { authorization: \`Bearer \${settings.token}\`, 'idempotency-key': delivery.id } },
    )
    if (statusCode !== 201) return \`The office answered \${statusCode}.\`
    state.sent = Number(state.sent ?? 0) + 1
    log.info(\`Handed over number \${state.sent}.\`)
    return 'success'
  },
})
`,
    'samples/session.json': json(session),
    'samples/settings.json': json(settings),
    'fixtures/accepted.json': json(fixture({ statusCode: 201, body: '{"id":17}' }, 'success', 1)),
    'fixtures/refused.json': json(fixture({ statusCode: 422, body: '{}' }, 'The office answered 422.', null)),
    'package.json': json({
      name,
      version: '0.1.0',
      license: 'Apache-2.0',
      type: 'module',
      files: ['connector.json', 'index.ts', 'locales'],
    }),
    // For editors; \`connector check\` has settings of its own.
    'tsconfig.json': json({
      compilerOptions: {
        strict: true,
        noEmit: true,
        target: 'es2024',
        lib: ['esnext'],
        module: 'esnext',
        moduleResolution: 'bundler',
        allowImportingTsExtensions: true,
        types: [],
        paths: { 'sluice/connector': [relative(root, path.join(import.meta.dirname, '../sdk.ts'))] },
      },
      include: ['*.ts'],
    }),
    'README.md': `# ${title}

What it sends, to whom, and why; which settings it needs; what it does when a session arrives twice.

Privacy: say which data leaves, where it goes, and how long it stays there.
`,
  }
}

function relative(from: string, to: string): string {
  const found = path.relative(from, to).split(path.sep).join('/')
  return found.startsWith('.') ? found : `./${found}`
}
