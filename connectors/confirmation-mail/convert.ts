/** One raw mail to one booking, or to the reason why there is none. */
import type { Booking, Conversion, SourceMetadata } from 'sluice/connector'
import { bookingOf } from './booking.ts'
import { sizeHeader } from './intake.ts'
import { readJsonLd, readMarkup } from './markup.ts'
import { type Mail, readMails } from './message.ts'
import { type Node, nodesOf } from './nodes.ts'
import { withoutPassports } from './people.ts'
import { collectProblems } from './problems.ts'
import { type Found, reservationsIn } from './reservations.ts'
import type { Settings } from './settings.ts'

/**
 * @throws Error when the mail is too large or nested too deeply, or its markup is broken: then it is listed as failed.
 * @example
 * const { booking, message } = await convert(rawMail, settings)
 */
export async function convert(raw: Uint8Array, settings: Settings): Promise<Conversion> {
  const refusal = tooLarge(raw)
  if (refusal) throw new Error(refusal)
  const mails = await readMails(raw)
  const domains = sendersOf(settings.senders)
  if (domains.length > 0 && !domains.some((domain) => isWithin(mails[0].senderDomain, domain))) {
    return { discard: true, message: 'The sender is not among those of the setting "senders".' }
  }
  const { found, broken, mail } = readAll(mails, settings)
  if (found.reservations.length === 0) {
    const [reason] = broken
    if (reason) throw new Error(`The markup of the reservation is broken: ${reason}.`)
    const others = found.others.length > 0 ? ` It has ${found.others.join(', ')}, which is not read.` : ''
    return { discard: true, message: `The mail has no schema.org markup of a reservation.${others}` }
  }
  const problems = collectProblems()
  for (const reason of broken) problems.add(reason)
  const options = {
    preferences: settings.include_travel_preferences === true,
    passports: settings.include_passport_data === true,
    remarks: settings.include_non_travel_data === true,
  }
  const booking = await bookingOf(found, mail, options, problems)
  if (!booking) throw new Error(`The markup of the reservation is broken: ${problems.missing.join('; ')}.`)
  const reduced = options.passports ? undefined : withoutPassports(thingsOf(found))
  const key = keyOf(booking, settings.later_mails === 'separate' ? (mails[0].messageId ?? mails[0].date) : undefined)
  const said = [
    countOf(found),
    ...(problems.missing.length > 0 ? [`Missing: ${problems.missing.join('; ')}.`] : []),
    ...(problems.hadZones ? ['Times had a zone; their local part was taken.'] : []),
    ...(reduced ? ['Passport data was left out, and the mail is kept without it.'] : []),
  ]
  return {
    booking,
    ...(key === undefined ? {} : { key }),
    ...(reduced ? { updatedRawSource: reducedMail(mails[0], mail, reduced) } : {}),
    returnCode: problems.missing.length > 0 ? 999 : 0,
    message: said.join(' '),
  }
}

/** Date and subject of the mail, and the names of who travels. Never throws: what cannot be read is converted to a failure. */
export async function metadataOf(raw: Uint8Array, settings: Settings): Promise<SourceMetadata> {
  const mails = await readMails(raw).catch((): readonly [Mail] => [{ html: '', jsonLd: [] }])
  const [{ date, subject }] = mails
  let participants: string | null = null
  try {
    const { found, mail } = readAll(mails, settings)
    const booking = await bookingOf(
      found,
      mail,
      { preferences: false, passports: false, remarks: false },
      collectProblems(),
    )
    const names = booking?.participants?.flatMap((each) =>
      typeof each === 'string' || !each.fullname ? [] : [each.fullname],
    )
    participants = names?.join(', ').slice(0, 500) || null
  } catch {
    // The conversion will say it.
  }
  return {
    createdAt: date ?? null,
    mimeType: 'message/rfc822',
    description: subject ?? null,
    participants,
    discardAsIntermediate: false,
  }
}

/** All of them once: a package has its reservations in it. */
function thingsOf({ reservations, packages }: Found): readonly Node[] {
  const packed = new Set(packages.flatMap((each) => nodesOf(each, 'subReservation')))
  return [...packages, ...reservations.map(({ node }) => node).filter((node) => !packed.has(node))]
}

interface Reading {
  readonly found: Found
  readonly broken: readonly string[]
}

/** Of all of them together; `mail` is the first that has a reservation, so a forwarded one is its own sender's. */
function readAll(mails: readonly [Mail, ...Mail[]], settings: Settings): Reading & { readonly mail: Mail } {
  const readings = mails.map((mail) => ({ mail, ...read(mail, settings) }))
  const first = readings.find(({ found }) => found.reservations.length > 0)
  return {
    mail: first?.mail ?? mails[0],
    broken: readings.flatMap(({ broken }) => broken),
    found: {
      reservations: readings.flatMap(({ found }) => found.reservations),
      others: [...new Set(readings.flatMap(({ found }) => found.others))],
      packages: readings.flatMap(({ found }) => found.packages),
    },
  }
}

/** Senders often write both syntaxes with the same content: microdata counts only where JSON-LD has no reservation. */
function read(mail: Mail, settings: Settings): Reading {
  const markup = readMarkup(mail.html)
  const parts = readJsonLd(mail.jsonLd)
  const options = { pastimes: settings.include_non_travel_data === true }
  const broken = [...markup.broken, ...parts.broken]
  const found = reservationsIn([...markup.jsonLd, ...parts.jsonLd], options)
  if (found.reservations.length > 0) return { found, broken }
  const second = reservationsIn(markup.microdata, options)
  return { found: { ...second, others: [...new Set([...found.others, ...second.others])] }, broken }
}

/** What `intake.ts` stored in place of a mail that could not be fetched. */
function tooLarge(raw: Uint8Array): string | undefined {
  const start = new TextDecoder().decode(raw.subarray(0, 2_000))
  const bytes = new RegExp(`^${sizeHeader}: (\\d{1,15})\\r?$`, 'm').exec(start.split(/\r?\n\r?\n/)[0] ?? '')?.[1]
  if (bytes === undefined) return undefined
  return `The mail has ${Math.ceil(Number(bytes) / 1024 / 1024)} MiB, and 5 can be read. Forward it to the mailbox without its attachments.`
}

/** One of the same key is a newer state of the same booking; with the name of a mail, of that mail alone. */
function keyOf({ sourceDomain, referenceNumber }: Booking, mail: string | undefined): string | undefined {
  const parts = [sourceDomain ?? '', ...(referenceNumber ? [referenceNumber] : []), ...(mail ? [mail] : [])]
  return parts.length > 1 ? parts.join('/').slice(0, 500) : undefined
}

const isWithin = (domain: string | undefined, wanted: string) =>
  domain !== undefined && (domain === wanted || domain.endsWith(`.${wanted}`))

/** Domains, or addresses of which the domain counts, separated by commas, blanks or line breaks. */
export const sendersOf = (text: string | undefined): readonly string[] =>
  (text ?? '')
    .toLowerCase()
    .split(/[\s,;]+/)
    .map((each) => each.replace(/^.*@/, ''))
    .filter((each) => each !== '')

function countOf({ reservations }: Found): string {
  const counts = new Map<string, number>()
  for (const { type } of reservations) counts.set(type, (counts.get(type) ?? 0) + 1)
  return `Read ${[...counts].map(([type, count]) => `${count} ${type}`).join(', ')}.`
}

/** A mail that says no more than the reservations, and can be converted again: forwarded when the first one was. */
function reducedMail(outer: Mail, mail: Mail, reservations: readonly unknown[]): string {
  if (outer !== mail) return `${headersOf(outer, 'message/rfc822')}${reducedMail(mail, mail, reservations)}`
  // Inside of a script nothing may end it.
  const json = JSON.stringify(reservations).replaceAll('<', '\\u003c')
  const note = '<!-- Passport data was left out, and so was all that is no reservation. -->'
  return `${headersOf(mail, 'text/html; charset=utf-8')}${note}\r\n<script type="application/ld+json">${json}</script>\r\n`
}

function headersOf({ senderDomain, senderName = '', subject, date, messageId }: Mail, type: string): string {
  const header = (name: string, value: string | undefined) => (value ? [`${name}: ${value}`] : [])
  return [
    ...header('From', senderDomain && `${encoded(senderName)} <unknown@${senderDomain}>`.trim()),
    ...header('Subject', subject && encoded(subject)),
    ...header('Date', date && new Date(date).toUTCString().replace('GMT', '+0000')),
    ...header('Message-ID', messageId),
    'MIME-Version: 1.0',
    `Content-Type: ${type}`,
    'Content-Transfer-Encoding: 8bit',
    '',
    '',
  ].join('\r\n')
}

/** RFC 2047, in words of 45 bytes at most; cut between characters. */
function encoded(text: string): string {
  const words: string[] = []
  let word = ''
  const bytes = (part: string) => new TextEncoder().encode(part)
  const flush = () => {
    if (word !== '') words.push(`=?utf-8?B?${btoa(String.fromCharCode(...bytes(word)))}?=`)
    word = ''
  }
  for (const character of text) {
    if (bytes(word + character).length > 45) flush()
    word += character
  }
  flush()
  return words.join('\r\n ')
}
