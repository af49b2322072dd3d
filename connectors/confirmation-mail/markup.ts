/**
 * Finds schema.org's things in the HTML of a mail: JSON-LD in scripts, and microdata in attributes. The HTML is read
 * once, from its start to its end, and no tree is made of it.
 *
 * @see https://html.spec.whatwg.org/multipage/microdata.html
 */
import { BrokenJson, parseLoosely } from './json.ts'
import type { Node } from './nodes.ts'
import { Parser } from './vendor/htmlparser2.js'

export interface Markup {
  /** Of JSON-LD, as it was written: things, or lists of them. */
  readonly jsonLd: readonly unknown[]
  /** Things at the top; the others are their properties. */
  readonly microdata: readonly Node[]
  /** Scripts that claim to hold a reservation and cannot be read, with the reason. */
  readonly broken: readonly string[]
}

/** Elements within each other; a closing tag looks through all that are open. */
const deepest = 1_000
/** Elements within each other whose text is a property. */
const mostCollectors = 16
const mostText = 2_000

/** @throws Error when the elements are nested too deeply to be a mail. */
export function readMarkup(html: string): Markup {
  const scripts: string[] = []
  const microdata: Node[] = []
  const frames: Frame[] = []
  const items: Record<string, unknown>[] = []
  const collectors: Collector[] = []
  let script: string[] | undefined

  const parser = new Parser({
    onopentag(name, attributes) {
      if (frames.length > deepest) throw new Error(`The HTML has more than ${deepest} elements within each other.`)
      const attribute = (key: string) => (Object.hasOwn(attributes, key) ? attributes[key] : undefined)
      const frame: Frame = { isScript: false }
      frames.push(frame)
      if (name === 'script') {
        frame.isScript = /^\s*application\/ld\+json\b/i.test(attribute('type') ?? '')
        if (frame.isScript) script = []
        return
      }
      const names = attribute('itemprop')?.slice(0, 500).split(/\s+/).filter(isProperty) ?? []
      const parent = items.at(-1)
      if (attribute('itemscope') !== undefined) {
        const item = create(attribute('itemtype'), attribute('itemid'))
        if (parent && names.length > 0) for (const each of names) add(parent, each, item)
        else if (microdata.length < 1_000) microdata.push(item)
        items.push(item)
        frame.item = item
      } else if (parent && names.length > 0) {
        const given = attribute('content') ?? attribute(valueAttributes[name] ?? '')
        if (given !== undefined) for (const each of names) add(parent, each, given.slice(0, mostText))
        else if (collectors.length < mostCollectors) {
          frame.collector = { item: parent, names, text: '' }
          collectors.push(frame.collector)
        }
      }
    },
    ontext(text) {
      if (frames.at(-1)?.isScript) script?.push(text)
      else for (const each of collectors) if (each.text.length < mostText) each.text += text.slice(0, mostText)
    },
    onclosetag() {
      const frame = frames.pop()
      if (frame?.item) items.pop()
      if (frame?.collector) {
        collectors.pop()
        const { item, names, text } = frame.collector
        for (const each of names) add(item, each, text)
      }
      if (frame?.isScript && script) {
        scripts.push(script.join(''))
        script = undefined
      }
    },
  })
  parser.write(html)
  parser.end()
  return { ...readJsonLd(scripts), microdata }
}

interface Frame {
  isScript: boolean
  item?: Record<string, unknown>
  collector?: Collector
}

interface Collector {
  readonly item: Record<string, unknown>
  readonly names: readonly string[]
  text: string
}

/** Where an element has its value when it is not its text. */
const valueAttributes: Readonly<Record<string, string>> = {
  a: 'href',
  area: 'href',
  link: 'href',
  img: 'src',
  time: 'datetime',
  data: 'value',
  meter: 'value',
  object: 'data',
}

/** Things of microdata have no prototype, so that a property may have any name. */
function create(type: string | undefined, id: string | undefined): Record<string, unknown> {
  const item = Object.create(null) as Record<string, unknown>
  if (type !== undefined) item['@type'] = type.trim().slice(0, 1_000).split(/\s+/)
  if (id !== undefined) item['@id'] = id.slice(0, mostText)
  return item
}

const isProperty = (name: string) => name !== '' && !name.startsWith('@')

function add(item: Record<string, unknown>, name: string, value: unknown): void {
  const values = item[name] as unknown[] | undefined
  if (values === undefined) item[name] = [value]
  else if (values.length < 200) values.push(value)
}

/** Of scripts, or of parts of a mail that are JSON-LD themselves. */
export function readJsonLd(scripts: readonly string[]): Pick<Markup, 'jsonLd' | 'broken'> {
  const jsonLd: unknown[] = []
  const broken: string[] = []
  for (const text of scripts) {
    try {
      jsonLd.push(parseLoosely(text))
    } catch (error) {
      if (!(error instanceof BrokenJson)) throw error
      // Whatever else a shop puts into its mails is not missed.
      if (text.includes('Reservation')) broken.push(error.message)
    }
  }
  return { jsonLd, broken }
}
