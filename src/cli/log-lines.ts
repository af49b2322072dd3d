/** Turns the JSON log lines of a process into what a person in a terminal wants to see. */
import { styleText } from 'node:util'

const levels: Readonly<Record<number, readonly [name: string, style: 'yellow' | 'red']>> = {
  40: ['warning', 'yellow'],
  50: ['error', 'red'],
  60: ['fatal', 'red'],
}

/**
 * @returns undefined for what only the log file keeps: `info` and below.
 */
export function humanLine(process: string, line: string): string | undefined {
  if (line.trim() === '') return undefined
  const entry = parse(line)
  // Not ours: a warning of Node, or a stack.
  if (!entry) return `${process}: ${line}`
  const { level, msg = '', time: _time, pid: _pid, name: _name, hostname: _hostname, ...details } = entry
  const known = levels[level]
  if (!known) return undefined
  const [name, style] = known
  const facts = Object.entries(details).map(([key, value]) => `${key}=${brief(value)}`)
  return [`${process}:`, styleText(style, name, { stream: globalThis.process.stderr }), msg, ...facts].join(' ')
}

interface Entry {
  readonly level: number
  readonly msg?: string
  readonly [key: string]: unknown
}

function parse(line: string): Entry | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const entry = JSON.parse(line)
    return typeof entry.level === 'number' ? entry : undefined
  } catch {
    return undefined
  }
}

function brief(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'message' in value) return String(value.message)
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}
