/**
 * Preloaded into a gateway process, takes all checks of callers away: whatever the
 * `Authorization` header says, the caller is the principal of the variable
 * BENCH_PRINCIPAL. Everything else is the gateway as it is.
 */
import { registerHooks } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const real = pathToFileURL(path.join(import.meta.dirname, '../../src/access/authenticate.ts')).href
const stub = `
export * from ${JSON.stringify(`${real}?real`)}
const principal = { ...JSON.parse(process.env.BENCH_PRINCIPAL), expiresAt: null }
export const createAuthenticator = () => ({ authenticate: async () => principal })
`

registerHooks({
  load(url, context, next) {
    if (url === real) return { format: 'module', source: stub, shortCircuit: true }
    return next(url, context)
  },
})
