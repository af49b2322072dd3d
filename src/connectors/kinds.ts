/** Which functions each kind of connector has to have. Pure. */
import type { ConnectorKind, Inbound } from './manifest.ts'

/** Names that the extension guide has for a function, beside ours. */
export const converters: readonly string[] = ['convertRawSource', 'convertRawSourceToTripData']

/** For each kind: one function of each list. */
const required: Readonly<Record<ConnectorKind, readonly (readonly string[])[]>> = {
  consumer: [['consume']],
  producer: [['getRawSources'], converters],
  'two-phase-producer': [['getRawSources'], ['getExternalId'], converters],
  modifier: [['modify']],
  webhook: [converters],
}

/**
 * @param functions that the code exports.
 * @returns a sentence for each that a kind of the manifest needs and the code has not.
 */
export function missingFunctions(kinds: readonly ConnectorKind[], functions: readonly string[]): readonly string[] {
  return kinds.flatMap((kind) =>
    required[kind]
      .filter((names) => !names.some((name) => functions.includes(name)))
      .map(
        ([name]) =>
          `The manifest says that it is a ${kind}, but its code has no ${name}. Export it, or change "kinds".`,
      ),
  )
}

/** Who says that the connector finds out who sent a payload must do so: without a check, anybody could send. */
export function missingCheck(inbound: Inbound | undefined, functions: readonly string[]): readonly string[] {
  if (inbound?.authentication !== 'connector' || functions.includes('validatePayload')) return []
  return [
    'The manifest says that the connector checks who sends payloads, but its code has no validatePayload. Export it, or take "inbound.authentication" away.',
  ]
}
