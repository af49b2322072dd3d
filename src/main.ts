#!/usr/bin/env node
/** `sluice`: the Prisma client is made first, if it is missing or old, because all else imports it. */
import { generate } from '../prisma/generate.mjs'

generate()
const { runProgram } = await import('./cli/program.ts')
await runProgram(process.argv)
