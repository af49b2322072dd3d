/** Text that PostgreSQL takes: it stores neither NUL nor half a surrogate pair. Both become U+FFFD. */
export function storableText(text: string): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed()
  return whole.includes('\0') ? whole.replaceAll('\0', '\ufffd') : whole
}

/** A value as JSON text that PostgreSQL takes as `jsonb`. */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, (_key, each) => (typeof each === 'string' ? storableText(each) : each))
}
