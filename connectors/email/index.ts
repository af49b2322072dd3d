/**
 * Tells an office by mail that a session has come in. Mail is read on many
 * screens and kept in many places, so it names the service and the reference
 * and links to the rest; nothing that a person entered is in it.
 */
import { defineConnector, type SessionEvent } from 'sluice/connector'

interface Settings {
  /** One address, or several separated by commas. */
  readonly recipient: string
  readonly subject_prefix?: string
  /** `https://office.example/sessions/{id}` */
  readonly link_template?: string
}

export default defineConnector<{ settings: Settings }>({
  async consume({ event, settings, mail, log }) {
    const to = settings.recipient.split(',').flatMap((address) => address.trim() || [])
    if (to.length === 0) return 'The setting "recipient" holds no address.'
    const link = settings.link_template ? linkTo(settings.link_template, event) : undefined
    if (link === null) return 'The setting "link_template" must begin with https:// or http://.'
    const subject = subjectOf(event, settings.subject_prefix)
    await mail.send({ to, subject, text: textOf(event, link), html: htmlOf(subject, event, link) })
    log.info(`Mailed ${to.length} ${to.length === 1 ? 'recipient' : 'recipients'}.`)
    return 'success'
  },
})

function subjectOf({ flowName, revision, id }: SessionEvent, prefix = ''): string {
  const what = revision > 1 ? 'Changed' : 'New'
  return `${prefix.trim()} ${what}: ${flowName} (${id.slice(-8)})`.replaceAll(/\s+/g, ' ').trim().slice(0, 200)
}

function linkTo(template: string, { id, team, flow }: SessionEvent): string | null {
  const values: Record<string, string> = { id, team, flow }
  const link = template.replaceAll(/\{(id|team|flow)\}/g, (_all, key: string) => encodeURIComponent(values[key] ?? ''))
  const { protocol } = URL.parse(link) ?? {}
  return protocol === 'https:' || protocol === 'http:' ? link : null
}

const kinds = { application: 'application', booking: 'booking' }

function introduction({ kind, revision, teamName, flowName }: SessionEvent): string {
  const what = revision > 1 ? `A changed ${kinds[kind]}` : `A new ${kinds[kind]}`
  return `${what} has been submitted to ${teamName} through the service "${flowName}".`
}

function facts({ id, submittedAt, revision, paymentID }: SessionEvent): readonly (readonly [string, string])[] {
  const all: [string, string][] = [
    ['Reference', id],
    ['Submitted', whenOf(submittedAt)],
  ]
  if (revision > 1) all.push(['Revision', String(revision)])
  if (paymentID) all.push(['Payment', paymentID])
  return all
}

function whenOf(iso: string): string {
  const format = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' })
  return `${format.format(new Date(iso))} UTC`
}

const withoutLink = 'Open it by its reference in the system that you use for this service.'
const footer = 'This mail holds no data of the submission, which is available for a limited time only.'

function textOf(event: SessionEvent, link: string | undefined): string {
  const lines = facts(event).map(([name, value]) => `${`${name}:`.padEnd(12)}${value}`)
  return [introduction(event), lines.join('\n'), link ? `Open it: ${link}` : withoutLink, `-- \n${footer}`, ''].join(
    '\n\n',
  )
}

function htmlOf(subject: string, event: SessionEvent, link: string | undefined): string {
  const rows = facts(event)
    .map(([name, value]) => `<tr><th align="left" scope="row">${escaped(name)}</th><td>${escaped(value)}</td></tr>`)
    .join('')
  const open = link ? `<a href="${escaped(link)}">Open it</a>` : escaped(withoutLink)
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escaped(subject)}</title></head>
<body style="font-family: sans-serif; line-height: 1.5">
<p>${escaped(introduction(event))}</p>
<table cellpadding="4">${rows}</table>
<p>${open}</p>
<p style="color: #505a5f"><small>${escaped(footer)}</small></p>
</body>
</html>
`
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (letter) => entities[letter] ?? letter)
}
