/** `Overview.htm`: what a person at the council reads first. One file without scripts and without anything from elsewhere. Pure. */
import type { Passport } from './proposal.ts'
import { escaped } from './xml.ts'

export interface OverviewFacts {
  readonly service: string
  readonly reference: string
  readonly submittedAt: string
  /** Names in the archive, beside the name that the applicant gave. */
  readonly files: readonly { readonly name: string; readonly given: string }[]
  /** What the session has and the archive has not, and why. */
  readonly left: readonly { readonly given: string; readonly status: string }[]
}

export function overviewHtml(passport: Passport, facts: OverviewFacts): string {
  const answers = Object.entries(passport)
    .filter(([key]) => !key.startsWith('_'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => row(key, shown(value)))
  const files = facts.files.map(({ name, given }) => row(name, name === given ? '' : given))
  const left = facts.left.map(({ given, status }) => row(given, status))
  return `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"/><title>${escaped(facts.service)}</title></head>
<body>
<h1>${escaped(facts.service)}</h1>
${table('Submission', [row('Reference', facts.reference), row('Submitted', facts.submittedAt)])}
${table('Files', files)}
${left.length > 0 ? table('Files that are not included', left) : ''}
${table('Answers', answers)}
</body>
</html>
`
}

function table(title: string, rows: readonly string[]): string {
  return `<h2>${title}</h2>\n<table>\n${rows.length > 0 ? rows.join('\n') : row('None', '')}\n</table>`
}

function row(name: string, value: string): string {
  return `<tr><th scope="row" align="left">${escaped(name)}</th><td>${escaped(value)}</td></tr>`
}

function shown(value: unknown): string {
  if (Array.isArray(value) && value.every((each) => typeof each !== 'object' || each === null)) return value.join(', ')
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
