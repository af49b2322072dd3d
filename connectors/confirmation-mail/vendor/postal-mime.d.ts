/** The part of postal-mime (https://github.com/postalsys/postal-mime) that this connector uses. */
export interface Address {
  readonly name: string
  readonly address?: string
}

export interface Email {
  readonly from?: Address
  readonly subject?: string
  readonly messageId?: string
  /** ISO 8601, or the raw header. */
  readonly date?: string
  readonly html?: string
  readonly attachments: readonly {
    readonly mimeType: string
    readonly content: ArrayBuffer | Uint8Array | string
  }[]
}

declare const PostalMime: {
  parse(
    raw: Uint8Array,
    options?: {
      readonly maxNestingDepth?: number
      readonly maxHeadersSize?: number
      /** Leaves forwarded mails as attachments. */
      readonly forceRfc822Attachments?: boolean
    },
  ): Promise<Email>
}
export default PostalMime
