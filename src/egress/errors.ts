/** Why a call did not leave, or did not come back. */
import { type ErrorCode, SluiceError } from '../errors.ts'

/** Where it failed. `blocked` never reached the network; `protocol` is an answer that is not HTTP, or a broken connection. */
export type EgressErrorClass = 'dns' | 'connect' | 'tls' | 'timeout' | 'blocked' | 'response_too_large' | 'protocol'

/** Milliseconds spent in each phase; a kept connection has no `dns`, `connect` and `tls`. `first_byte` counts from the request's start to the answer's head. */
export interface EgressPhases {
  readonly dns?: number
  readonly connect?: number
  readonly tls?: number
  readonly first_byte?: number
  readonly total?: number
}

export interface EgressErrorOptions {
  readonly cause?: unknown
  /** The address that was dialled, when it came so far. */
  readonly address?: string
  readonly phases?: EgressPhases
}

/** A refusal is the caller's to mend (code BLOCKED); everything else is the other side's state (code UNAVAILABLE). */
export class EgressError extends SluiceError {
  readonly errorClass: EgressErrorClass
  readonly address: string | undefined
  readonly phases: EgressPhases

  constructor(errorClass: EgressErrorClass, message: string, { cause, address, phases = {} }: EgressErrorOptions = {}) {
    const code: ErrorCode = errorClass === 'blocked' ? 'BLOCKED' : 'UNAVAILABLE'
    super(code, message, { cause, details: { error_class: errorClass } })
    this.errorClass = errorClass
    this.address = address
    this.phases = phases
  }
}
