/** `connector check`: all that can be said of a package without its third party. */
import { messageOf } from '../../errors.ts'
import type { SandboxPool } from '../sandbox/pool.ts'
import { checkConformance } from './conformance.ts'
import { openPackage } from './package.ts'
import { readSample, type SampleFiles } from './sample.ts'
import { checkTypes } from './types-check.ts'

export interface Finding {
  /** What was looked at, as a sentence that holds when there is no fault. */
  readonly what: string
  readonly level: 'must' | 'should'
  /** What is wrong and how to mend it. */
  readonly fault?: string
}

/** Looks at the manifest, the bundle, the types, the samples, and the rules that every connector keeps. */
export async function checkConnector(
  folder: string,
  sandboxes: SandboxPool,
  samples: SampleFiles = {},
): Promise<readonly Finding[]> {
  const what = 'manifest and code make one package that imports nothing and loads in the sandbox'
  const made = await openPackage(folder, sandboxes).catch((error: unknown) => ({ fault: messageOf(error) }))
  if ('fault' in made) return [{ what, level: 'must', fault: made.fault }]
  const findings: Finding[] = [{ what, level: 'must' }]

  const messages = await checkTypes(made.root, made.entry)
  findings.push({
    what: 'the types fit the SDK and the sandbox',
    level: messages ? 'must' : 'should',
    ...(messages === undefined
      ? { fault: 'TypeScript is not installed here, so types were not checked. Run npm ci without --omit=dev.' }
      : messages.length > 0
        ? { fault: messages.join('\n') }
        : {}),
  })

  const sample = await readSample(made.root, made.manifest, samples).catch((error: unknown) => messageOf(error))
  const whatSample = 'the samples fit the manifest'
  if (typeof sample === 'string') return [...findings, { what: whatSample, level: 'must', fault: sample }]
  findings.push({ what: whatSample, level: 'must' })

  for (const { rule, level, fault } of await checkConformance({ package: made, sandboxes, sample })) {
    findings.push({ what: rule, level, ...(fault === undefined ? {} : { fault }) })
  }
  return findings
}
