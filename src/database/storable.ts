/** Text that PostgreSQL takes: it stores neither NUL nor half a surrogate pair. Both become U+FFFD. */
export function storableText(text: string): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed()
  return whole.includes('\0') ? whole.replaceAll('\0', '\ufffd') : whole
}

/** Whether a value has no text, key or nested text that PostgreSQL would refuse. */
export function isStorable(value: unknown): boolean {
  // Not by calling itself: what somebody sends may nest deeper than the stack.
  const left = [value]
  while (left.length > 0) {
    const each = left.pop()
    if (typeof each === 'string' && (!each.isWellFormed() || each.includes('\0'))) return false
    if (typeof each === 'object' && each !== null) for (const pair of Object.entries(each)) left.push(...pair)
  }
  return true
}

/** A value as JSON text that PostgreSQL takes as `jsonb`. */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, (_key, each) => (typeof each === 'string' ? storableText(each) : each))
}
