import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { XMLValidator } from 'fast-xml-parser'
import { unzipSync } from 'fflate'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { entriesOf } from '../../connectors/uniform/archive.ts'
import { archiveNames } from '../../connectors/uniform/names.ts'
import { faultsOf, type Passport, passportOf, proposalXml } from '../../connectors/uniform/proposal.ts'
import { archiveOf } from '../../src/connectors/archive.ts'
import { type ShippedGround, shippedFolder, shippedGround } from './peers/ground.ts'
import { filesNamedBy, startUniform, type UniformPeer, uniformClient } from './peers/uniform.ts'

let ground: ShippedGround
let sample: { readonly passport: { readonly data: Passport } }
beforeAll(async () => {
  ground = await shippedGround()
  sample = JSON.parse(await readFile(path.join(shippedFolder, 'uniform/samples/session.json'), 'utf8'))
})
afterAll(() => ground.close())

const event = {
  id: '0198a0de-0000-7000-8000-000000000001',
  flowName: 'Apply <here>',
  submittedAt: '2026-01-31T09:30:00.000Z',
}
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('utf8')

describe('against Uniform', () => {
  let uniform: UniformPeer
  let connection: string
  beforeEach(async () => {
    uniform = await startUniform()
    connection = await connected()
    return () => uniform.close()
  })

  const connected = (settings: object = {}) =>
    ground.connected('uniform', {
      token_url: uniform.tokenUrl,
      submission_url: `${uniform.url}/api`,
      client_id: uniformClient.id,
      client_secret: uniformClient.secret,
      ...settings,
    })

  test('four requests bring the proposal, its files and an overview', async () => {
    const delivery = await ground.delivery(connection, {
      data: sample,
      files: { 'plan.pdf': '%PDF a plan', 'Grundriß „1“.pdf': '%PDF another', 'bad.pdf': { status: 'quarantined' } },
    })
    const { outcome, run } = await ground.attempt(delivery)
    expect(outcome).toBe('succeeded')
    const [submission] = uniform.submissions
    expect(run?.message).toBe(`Uniform submission: ${submission?.submissionId}`)
    expect(uniform.requests.map(({ method, path: place }) => `${method} ${place}`)).toEqual([
      'POST /uaa/oauth/token',
      'POST /api/secure/submission',
      `POST /api/secure/submission/${submission?.submissionId}/archive`,
      `GET /api/secure/submission/${submission?.submissionId}`,
    ])
    expect(submission?.request).toMatchObject({
      entity: 'dc',
      module: 'dc',
      organisation: 'Camden',
      organisationId: '210051',
      submissionReference: delivery.session_id,
      description: 'Staging submission from Sluice',
      submissionProcessorType: 'API',
    })
    const [archive] = submission?.archives ?? []
    expect(archive?.filename).toBe(`apply-${delivery.session_id}.zip`)
    expect(Object.keys(archive?.files ?? {})).toEqual([
      'proposal.xml',
      'Overview.htm',
      'LocationPlanGeoJSON.geojson',
      'Grundriß „1“.pdf',
      'plan.pdf',
    ])
    expect(text(archive?.files['plan.pdf'])).toBe('%PDF a plan')
    expect(text(archive?.files['Overview.htm'])).toMatch(
      /Files that are not included[\s\S]*bad\.pdf<\/th><td>quarantined/,
    )
    expect(JSON.stringify(run)).not.toMatch(new RegExp(`${uniformClient.secret}|Byron`))
  })

  test('more files than an archive holds are told at once, for good, and nothing is asked of Uniform', async () => {
    const delivery = await ground.delivery(connection, { data: sample })
    await ground.database.pool.query(
      `insert into session_files (session_id, name, type, size, object_key, status)
       select $1::uuid, 'plan-' || n || '.pdf', 'application/pdf', 1, $1::text || '/' || n, 'stored' from generate_series(1, 998) n`,
      [delivery.session_id],
    )
    const { outcome, final, run } = await ground.attempt(delivery)
    expect([outcome, final]).toEqual(['failed', true])
    expect(run?.message).toMatch(
      /too many files for Uniform: 1000 entries fit into its archive, and it would have 1001/,
    )
    expect(uniform.requests).toEqual([])
  })

  test('a delivery that is made again asks for nothing', async () => {
    const delivery = await ground.delivery(connection, { data: sample })
    await ground.attempt(delivery)
    const asked = uniform.requests.length
    expect((await ground.attempt(delivery, 2)).run?.message).toMatch(/^Uniform has it already: /)
    expect(uniform.requests).toHaveLength(asked)
    expect(uniform.cases()).toHaveLength(1)
  })

  test.each([
    ['making the submission', /^POST .*submission$/],
    ['uploading', /archive$/],
    ['asking', /^GET/],
  ])('an answer lost while %s makes no second case', async (_when, fits) => {
    const delivery = await ground.delivery(connection, { data: sample })
    uniform.trouble(fits, 'lost')
    expect(await ground.attempt(delivery)).toMatchObject({ outcome: 'failed', final: false })
    expect(await ground.attempt(delivery, 2)).toMatchObject({ outcome: 'succeeded' })
    expect(uniform.cases()).toHaveLength(1)
  })

  test('5xx and a wrong secret are tried again; another refusal is final', async () => {
    const delivery = await ground.delivery(connection, { data: sample })
    uniform.trouble(/submission$/, 502, 400)
    expect(await ground.attempt(delivery)).toMatchObject({ outcome: 'failed', final: false })
    const refused = await ground.attempt(delivery, 2)
    expect(refused).toMatchObject({ outcome: 'failed', final: true })
    expect(refused.run?.message).toBe('Uniform answered 400. It is not tried again.')

    const wrong = await ground.attempt(
      await ground.delivery(await connected({ client_secret: 'not-this-one' }), { data: sample }),
    )
    expect(wrong).toMatchObject({ outcome: 'failed', final: false })
    expect(wrong.run?.message).toMatch(/Idox answered 401 to the client's id and secret and gave no token/)
  })

  test('a token that is no longer taken is replaced', async () => {
    uniform.trouble(/archive$/, 401)
    expect(await ground.attempt(await ground.delivery(connection, { data: sample }))).toMatchObject({
      outcome: 'succeeded',
    })
    expect(uniform.requests.filter(({ path: place }) => place === '/uaa/oauth/token')).toHaveLength(2)
  })

  test('a Uniform that takes its time is asked again, and nothing is uploaded twice', async () => {
    uniform.processing.isSlow = true
    const delivery = await ground.delivery(connection, { data: sample })
    const first = await ground.attempt(delivery)
    expect(first).toMatchObject({ outcome: 'failed', final: false })
    expect(first.run?.message).toMatch(/^Uniform has not yet taken submission /)
    expect(await ground.attempt(delivery, 2)).toMatchObject({ outcome: 'failed', final: false })
    uniform.process()
    expect(await ground.attempt(delivery, 3)).toMatchObject({ outcome: 'succeeded' })
    expect(uniform.submissions[0]?.archives).toHaveLength(1)
  })

  test('what Uniform would refuse is not sent; files that are still being checked are waited for', async () => {
    const other = { passport: { data: { ...sample.passport.data, 'application.type': ['pp.full'] } } }
    const refused = await ground.attempt(await ground.delivery(connection, { data: other }))
    expect(refused).toMatchObject({ outcome: 'failed', final: true })
    expect(refused.run?.message).toMatch(/: application\.type is not ldc\.existing or ldc\.proposed\.$/)
    const waiting = await ground.delivery(connection, { data: sample, files: { 'a.pdf': { status: 'pending' } } })
    expect((await ground.attempt(waiting)).run?.message).toBe('1 file is still being checked.')
    expect(uniform.cases()).toEqual([])
  })

  test('files of twelve megabytes arrive whole, and never come into the sandbox', async () => {
    // Neither way is there room for one of them in the channel between host and sandbox.
    const narrow = ground.carrier({
      limits: { messageBytes: 128 * 1024, outputBytes: 1024 * 1024, answerBytes: 1024 * 1024 },
    })
    const plans = { 'north.pdf': '%PDF north'.repeat(400_000), 'south.pdf': '%PDF south'.repeat(700_000) }
    const files = { ...plans, 'north\u0301.pdf': '%PDF n'.repeat(200_000) }
    const delivery = await ground.delivery(connection, { data: sample, files, timeout_ms: 60_000 })
    uniform.trouble(/archive$/, 'lost')
    uniform.processing.isSlow = true
    expect(await ground.attempt(delivery, 1, narrow)).toMatchObject({ outcome: 'failed', final: false })
    uniform.processing.isSlow = false
    const { outcome, run } = await ground.attempt(delivery, 2, narrow)
    expect(outcome).toBe('succeeded')
    expect(run?.log.map(({ message }) => message)).toEqual(['Uploaded 3 files of 12.2 MB.'])
    // They were opened for the archive alone.
    expect(run?.calls.filter(({ kind }) => kind === 'files').map(({ bytes }) => bytes)).toEqual([
      4_000_000, 1_200_000, 7_000_000,
    ])
    const [first, second] = uniform.cases()[0]?.archives ?? []
    expect(uniform.cases()).toHaveLength(1)
    expect(second?.zip.equals(first?.zip ?? Buffer.of())).toBe(true)
    const sent = uniform.requests.findLast(({ path: place }) => place.endsWith('/archive'))
    expect(Number(sent?.headers['content-length'])).toBeGreaterThan(12_200_000)
    const named = filesNamedBy(text(second?.files['proposal.xml'])) ?? []
    expect(named.slice(3)).toEqual(['north.pdf', 'north\u0301.pdf', 'south.pdf'])
    for (const [name, content] of Object.entries(files)) {
      expect(Buffer.from(second?.files[name] ?? []).equals(Buffer.from(content))).toBe(true)
    }
  })
})

/** As the host makes it, of files whose content is `content <id>`. */
async function zipOf(input: Parameters<typeof entriesOf>[0]): Promise<Buffer> {
  const entries = entriesOf(input).map(({ path: place, date, ...rest }) =>
    'file' in rest ? { path: place, date, file: rest.file } : { path: place, date, text: String(rest.content) },
  )
  const { content } = await archiveOf(entries, async (id) => {
    const bytes = Buffer.from(`content ${id}`)
    const read = async () => Readable.from([bytes])
    const info = { id, name: id, type: 'application/pdf', size: bytes.length, sha256: null, status: 'stored' }
    return { ...info, stream: await read(), again: read }
  })
  return buffer(content)
}

test('the XML says what the passport says', () => {
  const xml = proposalXml(sample.passport.data, { reference: event.id, submittedAt: event.submittedAt, files: [] })
  expect(xml).toMatch(/^<\?xml version="1\.0" encoding="UTF-8" standalone="yes"\?>\n<portaloneapp:Proposal xmlns:/)
  for (const expected of [
    '<portaloneapp:ApplicationTo>N410</portaloneapp:ApplicationTo>',
    `<portaloneapp:FormattedRefNum>${event.id}</portaloneapp:FormattedRefNum>`,
    '<common:AmountDue>103</common:AmountDue>',
    '<pdt:PersonFamilyName>Byron</pdt:PersonFamilyName>',
    '<bs7666:X>493822</bs7666:X>',
    '<portaloneapp:ScenarioNumber>15</portaloneapp:ScenarioNumber>',
    '<common:ProposedUseDescription>A shed &amp; a greenhouse</common:ProposedUseDescription>',
    '<common:Signatory PersonRole="Applicant"/>',
  ]) {
    expect(xml).toContain(expected)
  }
  const existing = {
    ...sample.passport.data,
    'application.type': ['ldc.existing'],
    'uniform.scenarioNumber': undefined,
  }
  expect(proposalXml(existing, { reference: 'r', submittedAt: event.submittedAt, files: [] })).toMatch(
    /<portaloneapp:ScenarioNumber>14<[\s\S]*<portaloneapp:DescriptionCEU>A shed &amp; a greenhouse</,
  )
})

const published = path.join(
  import.meta.dirname,
  '../../../shared/data/planx-sessions/lawful-development-certificate.json',
)
test.skipIf(!existsSync(published))('a published session becomes a proposal', async () => {
  const passport = passportOf(JSON.parse(await readFile(published, 'utf8')))
  if (!passport) throw new Error('no passport')
  expect(faultsOf(passport)).toEqual([])
  const archive = unzipSync(await zipOf({ passport, event, files: [] }))
  expect(Object.keys(archive)).toEqual(filesNamedBy(text(archive['proposal.xml'])))
})

const nastyName = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc
    .array(
      fc.constantFrom(
        '..',
        '/',
        '\\',
        '.',
        ' ',
        'a',
        'A',
        'é',
        'e\u0301',
        '\0',
        '\r',
        '\n',
        '&',
        '<',
        ']]>',
        '\ud800',
        '\ufffe',
        '\u202e',
        '.pdf',
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join('')),
  fc.constantFrom(
    'proposal.xml',
    'PROPOSAL.XML',
    'overview.htm',
    '__proto__',
    'constructor',
    'CON.pdf',
    '',
    '..',
    '1',
    '&amp;',
  ),
)

test('the XML names exactly what the zip holds, whatever the files are called', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(nastyName, { maxLength: 20 }), fc.boolean(), async (names, hasSite) => {
      const files = names.map((name, index) => ({ id: String(index), name, status: 'stored' as const }))
      const passport = {
        ...sample.passport.data,
        'proposal.site': hasSite ? sample.passport.data['proposal.site'] : undefined,
      }
      const bytes = await zipOf({ passport, event, files })
      const archive = unzipSync(bytes)
      const named = filesNamedBy(text(archive['proposal.xml'])) ?? []
      expect(named.toSorted()).toEqual(Object.keys(archive).toSorted())
      expect(named).toHaveLength(names.length + (hasSite ? 3 : 2))
      expect(new Set(named.map((name) => name.toLowerCase())).size).toBe(named.length)
      expect(named.slice(-names.length || named.length).map((name) => text(archive[name]))).toEqual(
        files.map(({ id }) => `content ${id}`),
      )
      for (const name of named) expect(name).toMatch(/^[^/\\:*?"<>|\p{Cc}]{1,120}$/u)
      expect((await zipOf({ passport, event, files })).equals(bytes)).toBe(true)
    }),
    { numRuns: 30 },
  )
})

test('XML stays well formed, whatever was answered', () => {
  const key = fc.constantFrom(
    ...Object.keys(sample.passport.data),
    'applicant.agent.name.first',
    'applicant.company.name',
  )
  const answer = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.string({ unit: 'binary' })),
    fc.jsonValue(),
    fc.double(),
  )
  fc.assert(
    fc.property(fc.dictionary(key, answer, { noNullPrototype: true }), (answers) => {
      const passport = { ...sample.passport.data, ...answers }
      const xml = proposalXml(passport, { reference: event.id, submittedAt: event.submittedAt, files: [] })
      expect(XMLValidator.validate(xml)).toBe(true)
      expect(xml.isWellFormed()).toBe(true)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 has none of these.
      expect(xml).not.toMatch(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/)
    }),
    { numRuns: 300 },
  )
})

test('names lose folders, devices and what cannot be seen; duplicates are numbered', () => {
  const given = [
    '../../etc/passwd',
    'C:\\temp\\plan.pdf',
    'PLAN.pdf',
    'CON.pdf',
    'a\u202efdp.exe',
    ' ..hidden ',
    'proposal.xml',
    '',
  ]
  expect(archiveNames(given, ['proposal.xml'])).toEqual([
    'passwd',
    'plan.pdf',
    'PLAN (2).pdf',
    '_CON.pdf',
    'a_fdp.exe',
    'hidden',
    'proposal (2).xml',
    'file',
  ])
})

test('names that a reader without case may take for the same are told apart', () => {
  const names = archiveNames(['straße.pdf', 'STRASSE.pdf', 'STRA\u1e9eE.pdf', 'K.pdf', '\u212a.pdf'], [])
  expect(names).toEqual(['straße.pdf', 'STRASSE (2).pdf', 'STRA\u1e9eE (3).pdf', 'K.pdf', 'K (2).pdf'])
})

test('a name has as many bytes as file systems take, extension and number included', () => {
  const names = archiveNames(
    ['図'.repeat(119), `${'図'.repeat(119)}.pdf`, `${'図'.repeat(119)}.pdf`, `${'😀'.repeat(80)}.pdf`],
    [],
  )
  expect(names.map((name) => Buffer.byteLength(name))).toEqual([255, 253, 254, 236])
  expect(names[2]).toMatch(/^図+ \(2\)\.pdf$/)
})
