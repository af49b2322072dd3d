/** The zip of a submission. One list of entries is what the XML names and what the zip holds. Pure. */
import type { ArchiveEntry, SessionEvent, SessionFile } from 'sluice/connector'
import { archiveNames } from './names.ts'
import { overviewHtml } from './overview.ts'
import { type Passport, proposalXml } from './proposal.ts'

export interface ArchiveInput {
  readonly passport: Passport
  readonly event: Pick<SessionEvent, 'id' | 'flowName' | 'submittedAt'>
  /** All files of the session. */
  readonly files: readonly Pick<SessionFile, 'id' | 'name' | 'status'>[]
}

const proposal = 'proposal.xml'
const overview = 'Overview.htm'
const plan = 'LocationPlanGeoJSON.geojson'

/** @returns the same entries for the same input; their files are the stored ones. */
export function entriesOf({ passport, event, files }: ArchiveInput): readonly ArchiveEntry[] {
  const stored = files.filter(({ status }) => status === 'stored')
  const site = passport['proposal.site']
  const made = [proposal, overview, ...(site ? [plan] : [])]
  const names = archiveNames(
    stored.map(({ name }) => name),
    made,
  )
  const attached = stored.map((file, index) => ({ file, name: names[index] ?? file.id }))
  const facts = { reference: event.id, submittedAt: event.submittedAt }
  const xml = proposalXml(passport, {
    ...facts,
    files: [
      { name: proposal, reference: 'Schema XML File', identifier: 'N10049' },
      ...made.slice(1).map((name) => ({ name, reference: 'Other' })),
      ...attached.map(({ name }) => ({ name, reference: 'Other' })),
    ],
  })
  const html = overviewHtml(passport, {
    ...facts,
    service: event.flowName,
    files: attached.map(({ name, file }) => ({ name, given: file.name })),
    left: files.filter(({ status }) => status !== 'stored').map(({ name: given, status }) => ({ given, status })),
  })
  // The session's own time makes the same bytes of the same session.
  const date = event.submittedAt
  return [
    { path: proposal, content: xml, date },
    { path: overview, content: html, date },
    ...(site ? [{ path: plan, content: JSON.stringify(site), date }] : []),
    ...attached.map(({ file, name }) => ({ path: name, file: file.id, date })),
  ]
}
