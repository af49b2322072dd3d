/** What a destination's `config` may be, which the type of its column does not tell. */
import { SluiceError } from '../errors.ts'
import type { TableRules, WrittenRow } from '../tables/write-rules.ts'

/** Patterns test its keys and events carry them: a list or a text would be taken and then never heard of again. */
export const destinationRules: TableRules = {
  beforeInsert: checkConfig,
  beforeUpdate: checkConfig,
  // What an edit in place made of it.
  afterUpdate: (rows) => rows.forEach(checkConfig),
}

function checkConfig(values: WrittenRow): WrittenRow {
  const { config } = values
  if (config === undefined || (typeof config === 'object' && config !== null && !Array.isArray(config))) return values
  throw new SluiceError(
    'VALIDATION_FAILED',
    'config must be an object whose keys patterns can test and events carry, such as {"office": "north"}.',
    { path: 'config' },
  )
}
