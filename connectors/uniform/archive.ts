/** The zip of a submission. One list of entries is what the XML names and what the zip holds. Pure, given the files' bytes. */
import type { SessionEvent, SessionFile } from 'sluice/connector'
import { archiveNames } from './names.ts'
import { overviewHtml } from './overview.ts'
import { type Passport, proposalXml } from './proposal.ts'
import { zipSync } from './vendor/fflate.js'

export interface ArchiveInput {
  readonly passport: Passport
  readonly event: Pick<SessionEvent, 'id' | 'flowName' | 'submittedAt'>
  /** All files of the session. */
  readonly files: readonly Pick<SessionFile, 'id' | 'name' | 'status'>[]
  /** Brings the content of a stored one. */
  readonly read: (file: Pick<SessionFile, 'id'>) => Promise<Uint8Array>
}

const proposal = 'proposal.xml'
const overview = 'Overview.htm'
const plan = 'LocationPlanGeoJSON.geojson'

/** Compressed already; doing it again takes time for nothing. */
const dense = /\.(pdf|png|jpe?g|gif|webp|zip|docx|xlsx|pptx)$/i
const encode = (text: string) => new TextEncoder().encode(text)

/** @returns the same bytes for the same input. */
export async function archiveOf({ passport, event, files, read }: ArchiveInput): Promise<Uint8Array> {
  const stored = files.filter(({ status }) => status === 'stored')
  const site = passport['proposal.site']
  const made = [proposal, overview, ...(site ? [plan] : [])]
  const names = archiveNames(
    stored.map(({ name }) => name),
    made,
  )
  const attached = stored.map((file, index) => ({ file, name: names[index] ?? file.id }))
  const facts = { reference: event.id, submittedAt: event.submittedAt }
  const contents: [string, Uint8Array][] = [
    [
      proposal,
      encode(
        proposalXml(passport, {
          ...facts,
          files: [
            { name: proposal, reference: 'Schema XML File', identifier: 'N10049' },
            ...made.slice(1).map((name) => ({ name, reference: 'Other' })),
            ...attached.map(({ name }) => ({ name, reference: 'Other' })),
          ],
        }),
      ),
    ],
    [
      overview,
      encode(
        overviewHtml(passport, {
          ...facts,
          service: event.flowName,
          files: attached.map(({ name, file }) => ({ name, given: file.name })),
          left: files.filter(({ status }) => status !== 'stored').map(({ name: given, status }) => ({ given, status })),
        }),
      ),
    ],
  ]
  if (site) contents.push([plan, encode(JSON.stringify(site))])
  for (const { file, name } of attached) contents.push([name, await read(file)])
  return zipSync(
    Object.fromEntries(
      // A zip's times begin in 1980; the session's own makes the same bytes of the same session.
      contents.map(([name, content]) => [
        name,
        [content, { level: dense.test(name) ? 0 : 6, mtime: event.submittedAt }],
      ]),
    ),
  )
}
