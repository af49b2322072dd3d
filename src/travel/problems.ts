/** What is wrong with travel data, each with the place: the same shape as the problems of a session. */
import type { z } from 'zod'

export interface Problem {
  /** JSON Pointer (RFC 6901) into the data; empty for the whole. */
  readonly path: string
  readonly message: string
  /** What kind of rule was broken, in JSON Schema's words where it has one. */
  readonly keyword: string
}

/** RFC 6901. */
export const pointer = (path: readonly PropertyKey[]): string =>
  path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

/** More tell nobody more. */
const mostProblems = 50

/** @returns at most 50, and one that says how many more there are */
export function bounded(problems: readonly Problem[]): readonly Problem[] {
  const more = problems.length - mostProblems
  if (more <= 0) return problems
  return [...problems.slice(0, mostProblems), { path: '', keyword: 'more', message: `and ${more} more problems` }]
}

/** Zod's issues, which must have been made with `reportInput`. */
export function problemsOf(issues: readonly z.core.$ZodIssue[]): readonly Problem[] {
  return issues.flatMap((issue) => problemsOfIssue(issue, []))
}

function problemsOfIssue(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): readonly Problem[] {
  const path = [...above, ...issue.path]
  if (issue.code === 'invalid_union') {
    const meant = issue.errors.find((branch) => !branch.some(isOfOtherType))
    return meant
      ? meant.flatMap((inner) => problemsOfIssue(inner, path))
      : [
          {
            path: pointer(path),
            keyword: 'type',
            message: 'must be an object or the UUID of one that is written elsewhere',
          },
        ]
  }
  return [{ path: pointer(path), ...wordsFor(issue) }]
}

/** The branch of a union that the value was not meant for. */
const isOfOtherType = (issue: z.core.$ZodIssue) => issue.code === 'invalid_type' && issue.path.length === 0

function wordsFor(issue: z.core.$ZodIssue): Pick<Problem, 'message' | 'keyword'> {
  const missing = issue.input === undefined ? 'is missing; it ' : ''
  switch (issue.code) {
    case 'invalid_type':
      return { keyword: missing ? 'required' : 'type', message: `${missing}must be ${nounOf(issue.expected)}` }
    case 'invalid_value': {
      const values = issue.values.map((value) => JSON.stringify(value)).join(', ')
      return { keyword: missing ? 'required' : 'enum', message: `${missing}must be one of ${values}` }
    }
    case 'invalid_format':
      return { keyword: 'format', message: issue.message }
    case 'too_big':
    case 'too_small':
      return { keyword: issue.code === 'too_big' ? 'maximum' : 'minimum', message: 'is out of range' }
    default:
      return { keyword: 'rule', message: issue.message }
  }
}

const nouns: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'an object',
  record: 'an object',
  string: 'a text',
}

const nounOf = (type: string) => nouns[type] ?? `of the type ${type}`
