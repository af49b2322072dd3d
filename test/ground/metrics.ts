/** What a process serves to Prometheus, read strictly by the grammar of its text format, and what docs/operations.md says of it. */
import { readFileSync } from 'node:fs'
import path from 'node:path'

type Labels = Readonly<Record<string, string>>

export interface Sample {
  /** With the suffix of a histogram's samples. */
  readonly name: string
  readonly labels: Labels
  readonly value: number
}

export interface Family {
  readonly type: string
  readonly samples: readonly Sample[]
}

export type Families = ReadonlyMap<string, Family>

/** Sluice's own metrics by name. */
export async function scrape(url: string): Promise<Families> {
  const response = await fetch(url)
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}`)
  const families = parseMetrics(await response.text())
  return new Map([...families].filter(([name]) => name.startsWith('sluice_')))
}

const sampleLine = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const label = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y

/**
 * The text format, version 0.0.4. Throws for a line that is none, a sample outside of its family, a family or a series
 * that is there twice, and a histogram whose buckets do not add up.
 */
export function parseMetrics(text: string): Families {
  const families = new Map<string, { type: string; samples: Sample[] }>()
  let current: { name: string; type: string; samples: Sample[] } | undefined
  const seen = new Set<string>()
  if (!text.endsWith('\n')) throw new Error('The last line has no end.')
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue
    const [, name, type] = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line) ?? []
    if (name && type) {
      if (families.has(name)) throw new Error(`${name} is there twice.`)
      current = { name, type, samples: [] }
      families.set(name, current)
      continue
    }
    const [, sample = '', given = '', number = ''] = sampleLine.exec(line) ?? []
    const value = Number(number.replace('+Inf', 'Infinity').replace(/^Nan$/i, 'NaN'))
    const base = current?.type === 'histogram' ? sample.replace(/_(bucket|sum|count)$/, '') : sample
    if (!current || base !== current.name || number === '') throw new Error(`This line is none: ${line}`)
    if (seen.has(`${sample}{${given}}`)) throw new Error(`${sample}{${given}} is there twice.`)
    seen.add(`${sample}{${given}}`)
    current.samples.push({ name: sample, labels: parseLabels(given), value })
  }
  for (const [name, { type, samples }] of families) if (type === 'histogram') checkHistogram(name, samples)
  return families
}

function parseLabels(text: string): Labels {
  const labels: Record<string, string> = {}
  label.lastIndex = 0
  while (label.lastIndex < text.length) {
    const [, name = '', value = ''] = label.exec(text) ?? []
    if (name === '') throw new Error(`These are no labels: ${text}`)
    labels[name] = value
  }
  return labels
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  for (const { labels, value } of samples.filter((sample) => sample.name === `${name}_count`)) {
    const buckets = samples.filter((sample) => sample.name === `${name}_bucket` && has(sample, labels))
    const rising = buckets.every((bucket, index) => index === 0 || bucket.value >= (buckets[index - 1]?.value ?? 0))
    if (!rising || buckets.at(-1)?.labels.le !== '+Inf' || buckets.at(-1)?.value !== value) {
      throw new Error(`The buckets of ${name} do not add up.`)
    }
  }
}

const has = ({ labels }: Sample, wanted: Labels) => Object.entries(wanted).every(([name, is]) => labels[name] === is)

/** Of the series with these labels; a histogram's count. */
export function readingOf(families: Families, name: string, labels: Labels = {}): number {
  const family = families.get(name)
  const counted = family?.type === 'histogram' ? `${name}_count` : name
  const found = family?.samples.find((sample) => sample.name === counted && has(sample, labels))
  if (!found) throw new Error(`There is no ${name} with ${JSON.stringify(labels)}.`)
  return found.value
}

export interface Described {
  readonly type: string
  readonly labels: readonly string[]
}

/** As served: type, and names of labels where anything has been counted yet. */
export function described(families: Families): Record<string, Partial<Described>> {
  return Object.fromEntries(
    [...families].map(([name, { type, samples }]) => {
      const labels = new Set(samples.flatMap((sample) => Object.keys(sample.labels)))
      labels.delete('le')
      return [name, samples.length > 0 ? { type, labels: [...labels].sort() } : { type }]
    }),
  )
}

/** The same as the table below this heading of docs/operations.md has it. */
export function documented(heading: 'Gateways' | 'Workers'): Record<string, Described> {
  const text = readFileSync(path.join(import.meta.dirname, '../../docs/operations.md'), 'utf8')
  const [, section = ''] = text.split(`\n### ${heading}\n`)
  const rows = (section.split('\n### ')[0] ?? '').matchAll(/^\| `(sluice_\w+)` \| (\w+) \|([^|]*)\| [^|]+ \|$/gm)
  return Object.fromEntries(
    [...rows].map(([, name = '', type = '', labels = '']) => [
      name,
      { type, labels: [...labels.matchAll(/`(\w+)`/g)].map(([, one = '']) => one).sort() },
    ]),
  )
}
