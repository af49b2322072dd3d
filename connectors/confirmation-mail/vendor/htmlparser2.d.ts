/** The part of htmlparser2 (https://github.com/fb55/htmlparser2) that this connector uses. */
export interface Handler {
  onopentag?(name: string, attributes: Readonly<Record<string, string>>): void
  ontext?(text: string): void
  onclosetag?(name: string): void
}

export class Parser {
  constructor(handler: Handler, options?: { readonly decodeEntities?: boolean })
  /** The whole of it at once, then `end()`. */
  write(text: string): void
  end(): void
}
