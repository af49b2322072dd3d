/** Variables of a `config`, as rows of a form: names with values that are texts, or any JSON. */

export interface VariableRow {
  readonly name: string
  /** Text as it is; anything else, and text that would be read as something else, as JSON. */
  readonly value: string
}

/** `north` stays; `5`, `true` and `{"a":1}` are JSON; the text "5" is written with its quotes. */
export function rowsOf(config: Readonly<Record<string, unknown>> | null | undefined): VariableRow[] {
  return Object.entries(config ?? {}).map(([name, value]) => ({
    name,
    value: typeof value === 'string' && readValue(value) === value ? value : JSON.stringify(value),
  }))
}

/** Rows without a name are left out; of two with the same name, the last counts. */
export function configOf(rows: readonly VariableRow[]): Record<string, unknown> {
  return Object.fromEntries(
    rows.filter(({ name }) => name.trim()).map(({ name, value }) => [name.trim(), readValue(value)]),
  )
}

/** How a value is shown where there is little room. */
export function shortValue(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function readValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
