// Imports between the folders of src/ run downward only (docs/architecture.md).
// A folder may import from the layers below its own, and from itself.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** From the bottom up. A name is a folder of src/ or a file in it. Folders of one layer do not know each other. */
export const layers = [
  ['errors.ts', 'log.ts', 'config.ts', 'metrics.ts'],
  ['database', 'egress'],
  ['access'],
  ['tables'],
  ['live'],
  ['delivery'],
  ['files', 'travel'],
  ['sessions', 'webhooks', 'connectors'],
  ['gateway', 'worker'],
  ['cli'],
  ['main.ts'],
]

/** The base may be used from each other. */
const base = new Set(layers[0])

/** `console` is a program of its own, and an island. */
const islands = new Set(['console'])

/**
 * @param {string} from file, relative to src/, with forward slashes
 * @param {string} to file that it imports, likewise; outside of src/ it starts with `..`
 * @returns {string | undefined} what is wrong with it
 */
export function wrongDirection(from, to) {
  const [here = ''] = from.split('/')
  const [there = ''] = to.split('/')
  if (here === there || (base.has(here) && base.has(there))) return undefined
  if (islands.has(here)) return `${here}/ may import nothing else of this repository`
  if (there === '..') return /^\.\.\/(test|bench)\//.test(to) ? 'src/ may not import tests or benchmarks' : undefined
  if (islands.has(there)) return `nothing may import ${there}/`
  const mine = layerOf(here)
  const theirs = layerOf(there)
  if (mine === -1) return `${here} is in no layer of .ci/import-directions.mjs`
  if (theirs === -1) return `${there} is in no layer of .ci/import-directions.mjs`
  if (theirs < mine) return undefined
  return theirs === mine ? `${here}/ and ${there}/ are of one layer` : `${there}/ is above ${here}/`
}

const layerOf = (name) => layers.findIndex((layer) => layer.includes(name))

const importPattern =
  /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"](\.[^'"]+)['"]|^\s*import\s*['"](\.[^'"]+)['"]|\bimport\(\s*['"](\.[^'"]+)['"]/gm

/** @returns {string[]} relative specifiers that a module imports, statically, dynamically or for types only */
export function importsOf(source) {
  return [...source.matchAll(importPattern)].map(([, from, bare, dynamic]) => from ?? bare ?? dynamic)
}

/** @returns {string[]} one line for each import that runs the wrong way; tests may import what they like */
export function checkImportDirections(sourceFolder) {
  const problems = []
  for (const file of readdirSync(sourceFolder, { recursive: true })) {
    const name = file.split(path.sep).join('/')
    if (!/\.(ts|mts|tsx)$/.test(name) || /\.(test|fixture)\.tsx?$/.test(name) || name.includes('/generated/')) continue
    for (const specifier of importsOf(readFileSync(path.join(sourceFolder, file), 'utf8'))) {
      const target = path.posix.normalize(path.posix.join(path.posix.dirname(name), specifier))
      const wrong = wrongDirection(name, target)
      if (wrong) problems.push(`src/${name} imports ${specifier}: ${wrong}`)
    }
  }
  return problems.sort()
}
