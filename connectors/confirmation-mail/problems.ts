/** What could not be read of a mail's markup, and what was taken differently than it stands there. */
import { type Node, textOf } from './nodes.ts'
import { type LocalTime, localTimeOf } from './times.ts'

export interface Problems {
  /** Things that are missing in the booking, in words, without the values. */
  readonly missing: readonly string[]
  /** Whether times had zones, whose local part was taken. */
  readonly hadZones: boolean
  add(problem: string): void
  /** The first of these properties that is there. One that is no time is a problem. */
  time(node: Node | undefined, ...names: readonly string[]): LocalTime | undefined
}

export function collectProblems(): Problems {
  const missing = new Set<string>()
  let hadZones = false
  return {
    get missing() {
      return [...missing]
    },
    get hadZones() {
      return hadZones
    },
    add: (problem) => void missing.add(problem),
    time(node, ...names) {
      for (const name of names) {
        const text = textOf(node, name)
        if (text === undefined) continue
        const time = localTimeOf(text)
        if (!time) missing.add(`${name} is no time such as 2027-03-04T20:15:00`)
        else {
          hadZones ||= time.zone !== undefined
          return time
        }
      }
      return undefined
    },
  }
}
