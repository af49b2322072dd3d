/** What a consumer's answer means. Pure. */

export interface Verdict {
  readonly succeeded: boolean
  /** In words, for people; null where there is nothing to say. */
  readonly message: string | null
  /** It failed, and trying again cannot help. */
  readonly final: boolean
}

/** The extension guide's code for "it was processed, but list it among the failed": `EXECUTION_ERROR_RETURN_CODE`. */
export const executionError = 999

/**
 * Reads what a consumer returned: "success", "failed", a message (a failure in
 * words), or the extension guide's result `{ message, returnCode }`. A result
 * was processed whatever its code, so it is not tried again; 999 is listed as
 * failed. Anything else is the connector's mistake, and a failure that says so.
 *
 * @example verdictOf('The office answered 500.') // { succeeded: false, message: 'The office answered 500.', final: false }
 * @example verdictOf({ returnCode: 999, message: 'No such applicant' }) // { succeeded: false, …, final: true }
 */
export function verdictOf(returned: unknown): Verdict {
  if (returned === 'success') return { succeeded: true, message: null, final: false }
  if (typeof returned === 'string') {
    const said = returned.trim()
    return failed(said === 'failed' || said === '' ? 'The connector reported a failure.' : said)
  }
  const result = resultOf(returned)
  if (!result) {
    return failed(
      `The connector returned ${shown(returned)}. It must return "success", "failed", a message in words, or {returnCode, message}.`,
    )
  }
  const { message, returnCode } = result
  if (returnCode === executionError) {
    return failed(message || 'The connector reported that its execution failed (code 999).', true)
  }
  const told = returnCode === 0 ? message : `Code ${returnCode}${message ? `: ${message}` : ''}`
  return { succeeded: true, message: told || null, final: false }
}

function resultOf(value: unknown): { readonly message: string; readonly returnCode: number } | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { message = '', returnCode = 0, ...rest } = value as Record<string, unknown>
  if (typeof message !== 'string' || !Number.isInteger(returnCode) || Object.keys(rest).length > 0) return undefined
  if (!('message' in value || 'returnCode' in value)) return undefined
  return { message: message.trim(), returnCode: returnCode as number }
}

function failed(message: string, final = false): Verdict {
  return { succeeded: false, message, final }
}

function shown(value: unknown): string {
  const text = value === null || value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
