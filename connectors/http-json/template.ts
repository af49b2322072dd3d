/**
 * Templates: JSON in which texts have places to fill in. A text that is one
 * place, `"{{/session/name}}"`, becomes the value there, whatever it is; places
 * inside of a text become text. `{"$each": "{{/session/files}}", "$item": …}`
 * makes a list, in which `{{./name}}` points into the item. A place is a JSON
 * pointer (RFC 6901). What is not there is null, or nothing inside of a text. Pure.
 */

export type Template = null | boolean | number | string | readonly Template[] | { readonly [key: string]: Template }

const place = /\{\{\s*(\.?(?:\/[^{}]*)?)\s*\}\}/g
const onlyPlace = /^\{\{\s*(\.?(?:\/[^{}]*)?)\s*\}\}$/

/**
 * @param root what `{{/…}}` points into.
 * @param item what `{{./…}}` points into.
 * @example filled({ name: '{{/session/name}}' }, { session: { name: 'Ada' } }) // { name: 'Ada' }
 */
export function filled(template: Template, root: unknown, item?: unknown): unknown {
  if (typeof template === 'string') return filledText(template, root, item)
  if (Array.isArray(template)) return template.map((each) => filled(each, root, item))
  if (typeof template !== 'object' || template === null) return template
  const { $each, $item } = template as Readonly<Record<string, Template>>
  if ($each !== undefined && $item !== undefined) {
    const list = filled($each, root, item)
    return Array.isArray(list) ? list.map((each) => filled($item, root, each)) : []
  }
  return Object.fromEntries(Object.entries(template).map(([key, each]) => [key, filled(each, root, item)]))
}

/** A text in which every place becomes text; objects and lists as JSON. @param encode for what is put in. */
export function filledLine(text: string, root: unknown, encode = (value: string) => value): string {
  return text.replaceAll(place, (_all, pointer: string) => encode(printed(valueAt(root, pointer))))
}

/** Places in a text, as they are written. */
export function placesIn(text: string): readonly string[] {
  return [...text.matchAll(place)].map(([whole]) => whole)
}

function filledText(text: string, root: unknown, item: unknown): unknown {
  const pointer = onlyPlace.exec(text)?.[1]
  if (pointer !== undefined) return pointed(pointer, root, item) ?? null
  return text.replaceAll(place, (_all, each: string) => printed(pointed(each, root, item)))
}

function pointed(pointer: string, root: unknown, item: unknown): unknown {
  return pointer.startsWith('.') ? valueAt(item, pointer.slice(1)) : valueAt(root, pointer)
}

/** Own properties only. */
export function valueAt(value: unknown, pointer: string): unknown {
  let found = value
  for (const part of pointer.trim().split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = (found as Record<string, unknown>)[key]
  }
  return found
}

function printed(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
