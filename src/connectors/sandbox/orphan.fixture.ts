/** A worker whose connector never ends; says so once it runs. */
import { createSandboxPool } from './pool.ts'

const input = { session: {}, event: {}, trip: null, config: {}, settings: {}, state: {}, delivery: {} }
void createSandboxPool().run({
  key: 'orphan',
  bundle: `export default ({ log }) => { log.info('running'); for (;;); }`,
  input,
  host: { call: async () => null, log: () => process.stdout.write('running\n') },
  timeoutMs: 60_000,
})
