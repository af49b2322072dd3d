// Prints "N passed, N failed" from the file of vitest's JSON reporter. A test
// file that could not even be loaded counts as one failure. Before that, why
// tests had to be tried again that passed then: each is a defect, of theirs or ours.
import { readFileSync } from 'node:fs'

let passed = 0
let failed = 0
try {
  const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
  passed = report.numPassedTests
  failed = report.numFailedTests
  for (const { status, assertionResults } of report.testResults) {
    for (const test of assertionResults) {
      if (test.status !== 'passed' || test.failureMessages.length === 0) continue
      console.log(`\nPassed when tried again: ${test.fullName}\n${test.failureMessages.join('\n')}`)
    }
    if (status === 'failed' && !assertionResults.some((test) => test.status === 'failed')) failed += 1
  }
} catch (error) {
  console.error(`The test run left no report: ${error.message}`)
  failed = 1
}
console.log(`\n${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
