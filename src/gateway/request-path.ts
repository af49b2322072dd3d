import type { IncomingMessage } from 'node:http'

/** The path that a request asks for; what is no URL (`//`) is given back as it came, and leads nowhere. */
export function requestPath({ url = '/' }: IncomingMessage): string {
  return URL.parse(url, 'http://localhost')?.pathname ?? url
}
