import { SluiceError } from '../errors.ts'

/** Values of one statement. Postgres's protocol numbers them with 16 bits; a list is one value. */
const maxValues = 20_000

/**
 * SQL text with its parameters, written front to back. Values never enter the
 * text: `value()` returns a placeholder. Names come from the model alone and
 * are quoted.
 */
export class SqlWriter {
  readonly #values: unknown[] = []
  #aliases = 0

  get values(): readonly unknown[] {
    return this.#values
  }

  /**
   * A placeholder for `value`, cast to a Postgres type: `$3::uuid`.
   *
   * @throws SluiceError TOO_LARGE beyond `maxValues`
   */
  value(value: unknown, type: string): string {
    if (this.#values.length >= maxValues) {
      throw new SluiceError(
        'TOO_LARGE',
        `The operation compares with or holds more than ${maxValues} values; ask in several operations, or put values in lists (_in).`,
      )
    }
    this.#values.push(value)
    return `$${this.#values.length}::${type}`
  }

  /** A table alias that is used nowhere else in this statement. */
  alias(): string {
    this.#aliases += 1
    return `t${this.#aliases}`
  }
}

/** A quoted identifier. */
export function name(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

/** A quoted string literal, for keys that are part of the query's shape and not of its data. */
export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted
}
