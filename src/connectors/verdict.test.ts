import { expect, test } from 'vitest'
import { verdictOf } from './verdict.ts'

test.each([
  ['success', true, null, false],
  ['failed', false, 'The connector reported a failure.', false],
  ['  ', false, 'The connector reported a failure.', false],
  ['The office answered 500.', false, 'The office answered 500.', false],
  [{ returnCode: 0 }, true, null, false],
  [{ message: 'Booked as 17' }, true, 'Booked as 17', false],
  [{ returnCode: 7, message: 'Already there' }, true, 'Code 7: Already there', false],
  [{ returnCode: 999, message: 'No such applicant' }, false, 'No such applicant', true],
  [{ returnCode: 999 }, false, 'The connector reported that its execution failed (code 999).', true],
])('%j means succeeded: %s, message: %s, final: %s', (returned, succeeded, message, final) => {
  expect(verdictOf(returned)).toEqual({ succeeded, message, final })
})

test.each([42, null, undefined, [], {}, { returnCode: 1.5 }, { returnCode: '0' }, { message: 'x', state: {} }])(
  '%j is a mistake of the connector, and a failure',
  (returned) => {
    const { succeeded, final, message } = verdictOf(returned)
    expect({ succeeded, final }).toEqual({ succeeded: false, final: false })
    expect(message).toContain('It must return "success"')
  },
)
