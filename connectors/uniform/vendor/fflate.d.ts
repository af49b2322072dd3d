/** The part of fflate (https://github.com/101arrowz/fflate, MIT, 0.8.3) that this connector uses. */
export interface ZipOptions {
  level?: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9
  mtime?: Date | string | number
}
export function zipSync(files: Record<string, [Uint8Array, ZipOptions]>, options?: ZipOptions): Uint8Array
