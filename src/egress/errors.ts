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

/** What the other side showed when the connection was secured. */
export interface EgressTls {
  /** `TLSv1.3` or `TLSv1.2`. */
  readonly protocol: string
  /** In the words of the standard: `TLS_AES_256_GCM_SHA384`. */
  readonly cipher: string
  /** Of the certificate, on one line: `CN=example.com`. */
  readonly subject: string
  readonly issuer: string
  /** ISO 8601; after it the certificate is worth nothing. */
  readonly valid_to: string
}

export interface EgressErrorOptions {
  readonly cause?: unknown
  /** The address that was dialled, when it came so far. */
  readonly address?: string
  readonly phases?: EgressPhases
  /** Of a connection that was secured, and of one that was not for its certificate. */
  readonly tls?: EgressTls
}

/** A refusal is the caller's to mend (code BLOCKED); everything else is the other side's state (code UNAVAILABLE). */
export class EgressError extends SluiceError {
  readonly errorClass: EgressErrorClass
  readonly address: string | undefined
  readonly phases: EgressPhases
  readonly tls: EgressTls | undefined

  constructor(
    errorClass: EgressErrorClass,
    message: string,
    { cause, address, phases = {}, tls }: EgressErrorOptions = {},
  ) {
    const code: ErrorCode = errorClass === 'blocked' ? 'BLOCKED' : 'UNAVAILABLE'
    super(code, message, { cause, details: { error_class: errorClass } })
    this.errorClass = errorClass
    this.address = address
    this.phases = phases
    this.tls = tls
  }
}
