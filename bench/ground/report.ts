/** What a benchmark says: a table for people, and a JSON file with every round and everything it depends on. */
import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Spread, spread } from './figures.ts'
import { resultsFolder } from './ground.ts'
import type { Machine } from './machine.ts'

/** One figure of both sides, a value a round. */
export interface Figure {
  readonly group: string
  readonly name: string
  readonly unit: '/s' | 'ms'
  readonly ours: readonly number[]
  readonly bare: readonly number[]
}

/** Median of the rounds, with the lowest and highest in brackets. The ratio is that of the medians. */
export function printTable(figures: readonly Figure[]): void {
  const cells = figures.map(({ group, name, unit, ours, bare }) => {
    const [left, right] = [spread(ours), spread(bare)]
    return { group, row: [`  ${name}`, shown(left, unit), shown(right, unit), (left.median / right.median).toFixed(2)] }
  })
  const head = ['', 'Sluice', 'bare', 'ratio']
  const widths = head.map((title, column) =>
    Math.max(title.length, ...cells.map(({ row }) => row[column]?.length ?? 0)),
  )
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart((widths[column] ?? 0) + 2)))
      .join('')
  console.log(line(head))
  let group = ''
  for (const cell of cells) {
    if (cell.group !== group) console.log(cell.group)
    group = cell.group
    console.log(line(cell.row))
  }
}

function shown({ median, low, high }: Spread, unit: Figure['unit']): string {
  const text = (value: number) => (unit === '/s' ? value.toFixed(0) : value.toFixed(value < 10 ? 2 : 1))
  return `${text(median)} ${unit} (${text(low)}-${text(high)})`
}

export interface Report {
  readonly benchmark: string
  readonly machine: Machine
  readonly parameters: Readonly<Record<string, unknown>>
  readonly figures: readonly Figure[]
}

/** @returns the file, `bench/results/<benchmark>-<time>.json`. */
export async function writeReport({ figures, ...report }: Report): Promise<string> {
  const at = new Date().toISOString()
  const file = path.join(resultsFolder, `${report.benchmark}-${at.slice(0, 19).replaceAll(':', '-')}.json`)
  const content = {
    ...report,
    at,
    commit: commitOf(),
    command: process.argv.slice(2).join(' '),
    figures: figures.map((figure) => ({
      ...figure,
      median: { ours: spread(figure.ours).median, bare: spread(figure.bare).median },
    })),
  }
  await mkdir(resultsFolder, { recursive: true })
  await writeFile(file, `${JSON.stringify(content, null, 2)}\n`)
  return file
}

/** Of the code that was measured, with a plus when it has uncommitted changes. */
function commitOf(): string | undefined {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain', '--', '../../src') ? '+' : ''}`
  } catch {
    return undefined
  }
}
