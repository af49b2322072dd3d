/** The hook for whatever looks for viruses in files before anybody gets them. */
import type { Readable } from 'node:stream'

export type ScanResult = { readonly clean: true } | { readonly clean: false; readonly reason: string }

export interface Scanner {
  /**
   * @throws SluiceError UNAVAILABLE when it cannot say; the file then waits, and is scanned again.
   */
  scan(stream: Readable): Promise<ScanResult>
}
