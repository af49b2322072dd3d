/** What a mail about a team's targets says: a function of values, plain text, the worst first. */
import type { Mail } from '../egress/mail.ts'

/** All events of one type about one target, with how the target fares by now. */
export interface Happening {
  /** `webhook.failing`, `webhook.disabled`, `webhook.recovered`, `connection.…`, `connection.modifier_loop`, `delivery.exhausted` */
  readonly type: string
  readonly kind: 'webhook' | 'connection'
  readonly target_id: string | null
  /** The target is the platform's, and the reader is a team: what it is called is not theirs to know. */
  readonly is_platform: boolean
  readonly name: string | null
  /** Name of the integration. */
  readonly integration: string | null
  readonly enabled: boolean | null
  readonly state: string | null
  readonly reason: string | null
  readonly failing_since: string | null
  readonly probe_at: string | null
  /** Deliveries that wait for it; 100000 is "or more". */
  readonly waiting: number
  readonly count: number
  readonly first_at: string
  readonly last_at: string
  /** Of the newest events. */
  readonly details: readonly Readonly<Record<string, unknown>>[]
}

export interface NewsOfTeam {
  /** Its name; null for the platform. */
  readonly team: string | null
  readonly happenings: readonly Happening[]
  readonly publicUrl: string
}

/** Targets that are told of in full. */
const mostTargets = 20
/** Deliveries that are named. */
const mostNamed = 5

const order = ['disabled', 'failing', 'exhausted', 'modifier_loop', 'payload_missing', 'recovered'] as const
type Matter = (typeof order)[number]

export function operationalMail({ team, happenings, publicUrl }: NewsOfTeam): Omit<Mail, 'to'> {
  const targets = [...Map.groupBy(happenings, ({ kind, target_id }) => `${kind} ${target_id}`).values()].toSorted(
    (a, b) => order.indexOf(worstOf(a)) - order.indexOf(worstOf(b)),
  )
  const paragraphs = targets.slice(0, mostTargets).map((of) => paragraph(of, publicUrl))
  const left = targets.length - paragraphs.length
  const more = left > 0 ? [`… and ${left} more; all are listed at ${publicUrl}/console/webhooks`] : []
  const text = [
    `This is what happened to the webhooks and connections of ${team === null ? 'the platform' : oneLine(team)}. Times are UTC.`,
    ...paragraphs,
    ...more,
    'You get this mail because you look after them, at most once in five minutes.',
  ].join('\n\n')
  return { subject: subjectOf(targets), text: `${text}\n` }
}

function subjectOf(targets: readonly (readonly Happening[])[]): string {
  const [first = [], ...others] = targets
  const { kind, state } = first[0] ?? { kind: 'webhook', state: null }
  const says = {
    disabled: state === 'disabled' || state === 'probing' ? 'is switched off' : 'was switched off for a while',
    failing: state === 'active' ? 'failed for a while' : 'is failing',
    exhausted: 'did not take deliveries',
    modifier_loop: 'changed a session in turns with others',
    payload_missing: 'waits in vain for payloads',
    recovered: 'works again',
  }[worstOf(first)]
  const subject = `${kind === 'webhook' ? 'Webhook' : 'Connection'} ${nameOf(first)} ${says}`
  return others.length > 0 ? `${subject}, and ${others.length} more` : subject
}

function paragraph(of: readonly Happening[], publicUrl: string): string {
  const [any] = of
  if (!any) return ''
  const lines = [`${any.kind === 'webhook' ? 'Webhook' : 'Connection'} ${nameOf(of)}`]
  for (const happening of of) lines.push(...linesOf(happening))
  if (!any.is_platform) {
    if (any.waiting > 0) lines.push(`  Waiting: ${countOf(any.waiting, 'delivery', 'deliveries')}.`)
    lines.push(`  What to do: ${adviceFor(any, of)}`)
    if (any.target_id) lines.push(`  ${publicUrl}/console/${any.kind}s/${any.target_id}`)
  } else {
    lines.push(
      '  It belongs to the platform, whose administrators are told as well. Nothing is lost: each can be sent again.',
    )
  }
  return lines.join('\n')
}

function linesOf({ type, count, first_at, last_at, details, failing_since, reason, state }: Happening): string[] {
  const [newest = {}] = details
  const error = typeof newest.error === 'string' ? [`  Last error: ${oneLine(newest.error)}`] : []
  const times = count > 1 ? `, ${count} times, the last time ${timeOf(last_at)}` : ''
  switch (matterOf(type)) {
    case 'failing':
      return [
        `  Failing since ${timeOf(textOf(newest.failing_since) ?? failing_since ?? first_at)}${times}. ${sentence(newest.reason)}`.trimEnd(),
        ...error,
      ]
    case 'disabled':
      return [
        `  Switched off by Sluice ${timeOf(first_at)}${times}. ${sentence(newest.reason ?? (state === 'disabled' ? reason : null))}`.trimEnd(),
        ...error,
      ]
    case 'recovered':
      return [`  Works again since ${timeOf(last_at)}. What waited is being sent.`]
    case 'payload_missing': {
      const missing = details.reduce(
        (sum, detail) => sum + (typeof detail.missing === 'number' ? detail.missing : 0),
        0,
      )
      const since = textOf(newest.waited_since)
      return [
        `  ${count > details.length ? 'At least ' : ''}${countOf(missing, 'payload', 'payloads')} that it asked for did not come in time${
          since ? `; the oldest was asked for ${timeOf(since)}` : ''
        }.`,
      ]
    }
    case 'modifier_loop': {
      const names = listOf(newest.connections).flatMap(({ name }) => textOf(name) ?? [])
      const session = textOf(newest.session_id)
      return [
        `  ${sentence(newest.reason)} Changed by ${names.map((name) => `"${oneLine(name)}"`).join(', ')}${
          session ? `, session ${session}` : ''
        }, ${timeOf(first_at)}${times}. It was announced as it was then.`,
      ]
    }
    case 'exhausted': {
      const named = details.slice(0, mostNamed).flatMap((detail) => textOf(detail.delivery_id) ?? [])
      return [
        `  ${countOf(count, 'delivery was', 'deliveries were')} given up after the last attempt, ${
          count > 1 ? `between ${timeOf(first_at)} and ${timeOf(last_at)}` : timeOf(first_at)
        }: ${named.join(', ')}${count > named.length ? ', …' : ''}`,
        ...error,
      ]
    }
  }
}

function adviceFor({ kind, enabled, state, probe_at }: Happening, of: readonly Happening[]): string {
  const exhausted = of.some(({ type }) => matterOf(type) === 'exhausted')
  const again = exhausted
    ? ' Then send what was given up again (replay_deliveries, status exhausted), or take it off the list (cancel_deliveries).'
    : ''
  const tool = kind === 'webhook' ? ' Try it with test_webhook.' : ''
  if (of.some(({ type }) => matterOf(type) === 'modifier_loop')) {
    return `let its modifiers agree: narrow a pattern, or disable one. Each must return nothing when there is nothing to change.${again}`
  }
  if (enabled === false) return `it is disabled; enable it when it is ready.${again}`
  if (state === 'disabled' && !probe_at) {
    return `it said that it is gone for good. Enter its new address, then enable it again.${again}`
  }
  if (state === 'disabled' || state === 'probing') {
    return `mend the receiver. One delivery is tried from time to time${
      probe_at ? `, next ${timeOf(probe_at)}` : ''
    }, and the first that succeeds releases the rest.${tool}${again}`
  }
  if (state === 'failing')
    return `look at its newest attempts and mend the receiver; retries go on by themselves.${tool}${again}`
  if (of.some(({ type }) => matterOf(type) === 'payload_missing')) {
    return `ask the sender for them; what comes late is taken all the same. They are in raw_sources, with the status missing.${again}`
  }
  return exhausted ? `it answers at present.${again.replace(' Then send', ' Send')}` : 'nothing; it works.'
}

function worstOf(of: readonly Happening[]): Matter {
  return order.find((matter) => of.some(({ type }) => matterOf(type) === matter)) ?? 'recovered'
}

function matterOf(type: string): Matter {
  return order.find((matter) => type.endsWith(`.${matter}`)) ?? 'exhausted'
}

function nameOf([of]: readonly Happening[]): string {
  if (!of) return ''
  const integration = of.integration ? `"${oneLine(of.integration)}"` : 'an integration'
  if (of.is_platform) return `of ${integration}`
  return `"${oneLine(of.name ?? 'that is no more')}" of ${integration}`
}

function countOf(count: number, one: string, many: string): string {
  return count >= 100_000 ? `100,000 or more ${many}` : `${count} ${count === 1 ? one : many}`
}

function timeOf(text: string): string {
  return new Date(text).toISOString().slice(0, 16).replace('T', ' ')
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'object' && each !== null) : []
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function sentence(value: unknown): string {
  return typeof value === 'string' ? oneLine(value) : ''
}

/** What a stranger may have written stays on its line. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 500)
}
