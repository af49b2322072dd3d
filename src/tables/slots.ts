/**
 * Values that a statement is compiled without: a variable of the operation, or a
 * fact of the caller. A document that comes again with other values is then not
 * planned again; its statement's slots are filled.
 */
import type { Principal } from '../access/principal.ts'

/** What slots are filled from. */
export interface SlotSource {
  readonly variables: Readonly<Record<string, unknown>>
  readonly principal: Principal
  readonly request: { readonly id: string; readonly address: string | null }
}

export class Slot {
  /** Of the variable, when it is one. */
  readonly name: string
  readonly read: (source: SlotSource) => unknown

  constructor(name: string, read: (source: SlotSource) => unknown) {
    this.name = name
    this.read = read
  }

  /** The slot of what `change` makes of the value; a refusal of `change` is the caller's error. */
  map(change: (value: unknown) => unknown): Slot {
    return new Slot(this.name, (source) => change(this.read(source)))
  }
}

/** Thrown while compiling, when the statement's text depends on a variable: it must be compiled for each value. */
export class NeedsValue extends Error {
  readonly variable: string

  constructor({ name }: Slot) {
    super(`the statement depends on the value of $${name}`)
    this.variable = name
  }
}

/** `change` applied now, or when the slot is filled. */
export function mapped(value: unknown, change: (value: unknown) => unknown): unknown {
  return value instanceof Slot ? value.map(change) : change(value)
}

/** @throws NeedsValue when `value` is a slot or holds one. */
export function requireValue<T>(value: T): T {
  if (value instanceof Slot) throw new NeedsValue(value)
  if (Array.isArray(value)) for (const item of value) requireValue(item)
  else if (typeof value === 'object' && value !== null) for (const item of Object.values(value)) requireValue(item)
  return value
}

/** The values of a statement, slots filled. */
export function filled(values: readonly unknown[], source: SlotSource): unknown[] {
  return values.map((value) => (value instanceof Slot ? value.read(source) : value))
}
