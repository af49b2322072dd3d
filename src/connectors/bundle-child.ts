/** The process that `bundle-apart.ts` starts: bundles the folder of its argument and writes what came of it. */
import { SluiceError } from '../errors.ts'
import { bundleConnector } from './bundle.ts'
import type { BundleAnswer } from './bundle-apart.ts'

const folder = process.argv[2] ?? ''
const answer: BundleAnswer = await bundleConnector(folder).then(
  (made) => ({ package: made }),
  (error: unknown) => {
    if (!(error instanceof SluiceError)) throw error
    // The folder is a temporary one, whose name helps nobody.
    return { error: { code: error.code, message: error.message.replaceAll(folder, 'the package') } }
  },
)
process.stdout.write(JSON.stringify(answer), () => process.exit(0))
