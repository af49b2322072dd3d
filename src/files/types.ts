/**
 * The kinds of file that Sluice knows how to recognise. An installation names those it takes (`FILE_TYPES`); a file has
 * to be of one of them by its name, by what its sender calls it, and by its content (content.ts).
 */
import { SluiceError } from '../errors.ts'

export interface FileType {
  /** As in `FILE_TYPES`. */
  readonly name: string
  /** What is stored, and sent with the file. */
  readonly mime: string
  /** What else senders call it. */
  readonly aliases: readonly string[]
  /** In lower case, without the dot. */
  readonly extensions: readonly string[]
  /** How its content is told: by signature (MIME types that the `file-type` library may say), or as text. */
  readonly content: { readonly signatures: readonly string[] } | { readonly text: 'plain' | 'json' | 'geojson' | 'svg' }
  /** For Office files, the part that a package of this kind must have. */
  readonly part?: string
}

const bySignature = (
  name: string,
  mime: string,
  extensions: string[],
  more: Partial<FileType> & { also?: string[] } = {},
) => {
  const { also = [], ...rest } = more
  return { name, mime, aliases: [], extensions, content: { signatures: [mime, ...also] }, ...rest }
}
const office = 'application/vnd.openxmlformats-officedocument'

/**
 * `svg` may carry scripts and `zip` anything at all: they are known, and not among those that are taken by default. An
 * SVG with active content is refused also where the type is taken.
 */
export const knownTypes: readonly FileType[] = [
  bySignature('pdf', 'application/pdf', ['pdf'], { aliases: ['application/x-pdf'] }),
  bySignature('png', 'image/png', ['png'], { also: ['image/apng'] }),
  bySignature('jpeg', 'image/jpeg', ['jpg', 'jpeg'], { aliases: ['image/jpg', 'image/pjpeg'] }),
  bySignature('gif', 'image/gif', ['gif']),
  bySignature('tiff', 'image/tiff', ['tif', 'tiff']),
  bySignature('webp', 'image/webp', ['webp']),
  bySignature('heic', 'image/heic', ['heic', 'heif'], {
    aliases: ['image/heif'],
    also: ['image/heif', 'image/heic-sequence', 'image/heif-sequence'],
  }),
  bySignature('xlsx', `${office}.spreadsheetml.sheet`, ['xlsx'], {
    also: ['application/zip'],
    part: 'xl/workbook.xml',
  }),
  bySignature('docx', `${office}.wordprocessingml.document`, ['docx'], {
    also: ['application/zip'],
    part: 'word/document.xml',
  }),
  bySignature('dwg', 'image/vnd.dwg', ['dwg'], { aliases: ['application/acad', 'application/x-dwg'] }),
  bySignature('zip', 'application/zip', ['zip'], { aliases: ['application/x-zip-compressed'] }),
  {
    name: 'geojson',
    mime: 'application/geo+json',
    aliases: ['application/json', 'application/vnd.geo+json'],
    extensions: ['geojson'],
    content: { text: 'geojson' },
  },
  { name: 'json', mime: 'application/json', aliases: ['text/json'], extensions: ['json'], content: { text: 'json' } },
  {
    name: 'csv',
    mime: 'text/csv',
    // What browsers on Windows call it where Excel is installed.
    aliases: ['application/vnd.ms-excel', 'application/csv', 'text/plain'],
    extensions: ['csv'],
    content: { text: 'plain' },
  },
  { name: 'txt', mime: 'text/plain', aliases: [], extensions: ['txt'], content: { text: 'plain' } },
  { name: 'svg', mime: 'image/svg+xml', aliases: [], extensions: ['svg'], content: { text: 'svg' } },
]

/**
 * The types that are taken, from their names.
 *
 * @throws SluiceError CONFIGURATION for a name that is not known.
 */
export function takenTypes(names: readonly string[]): readonly FileType[] {
  return names.map((name) => {
    const found = knownTypes.find((type) => type.name === name)
    if (found) return found
    const known = knownTypes.map((type) => type.name).join(', ')
    throw new SluiceError('CONFIGURATION', `FILE_TYPES has "${name}", which is none of ${known}.`)
  })
}

/**
 * The type that a file is said to be, by its name and by what its sender calls it.
 *
 * @param declared a MIME type; null and `application/octet-stream` say nothing.
 * @throws SluiceError UNSUPPORTED when it is not taken, or the two disagree.
 */
export function declaredType(name: string, declared: string | null, taken: readonly FileType[]): FileType {
  const extension = /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? ''
  const type = taken.find(({ extensions }) => extensions.includes(extension))
  if (!type) {
    const list = taken.flatMap(({ extensions }) => extensions).join(', ')
    const what = extension ? `Files that end in ".${extension.slice(0, 20)}"` : 'Files without an extension'
    throw new SluiceError('UNSUPPORTED', `${what} are not taken here. These are: ${list}.`, { path: 'object.name' })
  }
  const mime = (declared ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
  if (mime && mime !== 'application/octet-stream' && mime !== type.mime && !type.aliases.includes(mime)) {
    throw new SluiceError(
      'UNSUPPORTED',
      `The name says that this is ${type.mime}, and its type is given as "${mime.slice(0, 80)}". Send the type that belongs to the name.`,
      { path: 'object.type' },
    )
  }
  return type
}

/** The known type of a stored MIME type. */
export function typeOfMime(mime: string): FileType | undefined {
  return knownTypes.find((type) => type.mime === mime)
}
