/** Types of the globals that `sandbox/guest.ts` keeps, beside those of the language. A test compares the names. */
export const sandboxGlobals = `
interface Console { log(...words: unknown[]): void; info(...words: unknown[]): void; debug(...words: unknown[]): void
  dir(...words: unknown[]): void; trace(...words: unknown[]): void; warn(...words: unknown[]): void; error(...words: unknown[]): void }
declare const console: Console
declare function setTimeout(callback: (...parameters: any[]) => unknown, ms?: number, ...parameters: unknown[]): number
declare function setInterval(callback: (...parameters: any[]) => unknown, ms?: number, ...parameters: unknown[]): number
declare function clearTimeout(id: number | undefined): void
declare function clearInterval(id: number | undefined): void
declare function queueMicrotask(callback: () => unknown): void
declare function structuredClone<T>(value: T): T
declare function atob(encoded: string): string
declare function btoa(binary: string): string
interface URLSearchParams extends Iterable<[string, string]> { append(name: string, value: string): void
  delete(name: string): void; get(name: string): string | null; getAll(name: string): string[]; has(name: string): boolean
  set(name: string, value: string): void; sort(): void; toString(): string; readonly size: number
  entries(): IterableIterator<[string, string]>; keys(): IterableIterator<string>; values(): IterableIterator<string> }
declare const URLSearchParams: { new (init?: string | Record<string, string> | readonly (readonly [string, string])[] | URLSearchParams): URLSearchParams }
interface URL { href: string; readonly origin: string; protocol: string; username: string; password: string; host: string
  hostname: string; port: string; pathname: string; search: string; readonly searchParams: URLSearchParams; hash: string
  toString(): string; toJSON(): string }
declare const URL: { new (url: string | URL, base?: string | URL): URL; canParse(url: string, base?: string): boolean
  parse(url: string, base?: string): URL | null }
declare const TextEncoder: { new (): { encode(text?: string): Uint8Array<ArrayBuffer> } }
declare const TextDecoder: { new (label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean }): { decode(bytes?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string } }
interface Event { readonly type: string }
interface EventTarget { addEventListener(type: string, listener: (event: Event) => unknown): void
  removeEventListener(type: string, listener: (event: Event) => unknown): void; dispatchEvent(event: Event): boolean }
declare const Event: { new (type: string): Event }
declare const EventTarget: { new (): EventTarget }
interface DOMException extends Error { readonly code: number }
declare const DOMException: { new (message?: string, name?: string): DOMException }
interface AbortSignal extends EventTarget { readonly aborted: boolean; readonly reason: any; throwIfAborted(): void }
declare const AbortSignal: { abort(reason?: unknown): AbortSignal; timeout(ms: number): AbortSignal; any(signals: AbortSignal[]): AbortSignal }
declare const AbortController: { new (): { readonly signal: AbortSignal; abort(reason?: unknown): void } }
type CryptoBytes = ArrayBuffer | ArrayBufferView
interface SubtleCrypto { digest(algorithm: string, data: CryptoBytes): Promise<ArrayBuffer>
  importKey(format: string, key: any, algorithm: any, extractable: boolean, usages: string[]): Promise<any>
  exportKey(format: string, key: any): Promise<any>; generateKey(algorithm: any, extractable: boolean, usages: string[]): Promise<any>
  sign(algorithm: any, key: any, data: CryptoBytes): Promise<ArrayBuffer>; verify(algorithm: any, key: any, signature: CryptoBytes, data: CryptoBytes): Promise<boolean>
  encrypt(algorithm: any, key: any, data: CryptoBytes): Promise<ArrayBuffer>; decrypt(algorithm: any, key: any, data: CryptoBytes): Promise<ArrayBuffer>
  deriveBits(algorithm: any, key: any, length: number): Promise<ArrayBuffer> }
declare const crypto: { readonly subtle: SubtleCrypto; getRandomValues<T extends ArrayBufferView>(into: T): T; randomUUID(): string }
declare const self: typeof globalThis
`
