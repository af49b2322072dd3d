/** XML 1.0 as text: elements, attributes, escaping. Pure. */

/** Undefined ones are left out. */
export type Content = string | number | boolean | undefined | readonly Element[]

export interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly content: Content
}

/** @example element('common:FileName', 'plan.pdf') */
export function element(name: string, content: Content, attributes: Element['attributes'] = {}): Element {
  return { name, attributes, content }
}

/** A whole document. Uniform insists on `standalone`. */
export function xmlDocument(root: Element): string {
  return `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n${written(root, '')}\n`
}

function written({ name, attributes, content }: Element, indent: string): string {
  const head = [name, ...Object.entries(attributes).map(([key, value]) => `${key}="${escaped(value)}"`)].join(' ')
  if (content === undefined || content === '') return `${indent}<${head}/>`
  if (!isList(content)) return `${indent}<${head}>${escaped(String(content))}</${name}>`
  const inside = content.map((each) => written(each, `${indent}  `))
  return inside.length === 0 ? `${indent}<${head}/>` : `${indent}<${head}>\n${inside.join('\n')}\n${indent}</${name}>`
}

const isList = (content: Content): content is readonly Element[] => Array.isArray(content)

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  // A parser would make line feeds of these, and spaces of the line feeds in attributes.
  '\r': '&#13;',
}

/** Text for an element or a quoted attribute. Characters that XML 1.0 cannot hold become U+FFFD. */
export function escaped(text: string): string {
  return replaceForbidden(text, '\ufffd').replaceAll(/[&<>"'\r]/g, (letter) => entities[letter] ?? letter)
}

/** https://www.w3.org/TR/xml/#charsets; halves of characters are not characters. */
export function replaceForbidden(text: string, by: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  return text.toWellFormed().replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, by)
}
