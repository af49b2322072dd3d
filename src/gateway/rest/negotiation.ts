/** What a client takes: media types and content codings (RFC 9110, sections 12.5.1 and 12.5.3). */

export type Encoding = 'br' | 'gzip'

/** The coding that the client likes best, the denser one where it does not mind; null for none. */
export function chosenEncoding(accept: string | undefined): Encoding | null {
  const weights = new Map(listed(accept ?? '').map(({ name, weight }) => [name, weight]))
  const weightOf = (name: string) => weights.get(name) ?? weights.get('*') ?? 0
  const br = weightOf('br')
  const gzip = Math.max(weightOf('gzip'), weights.get('x-gzip') ?? 0)
  if (br === 0 && gzip === 0) return null
  return br >= gzip ? 'br' : 'gzip'
}

/** Whether `type` (`application/json`) is among what is accepted; the most specific range decides. */
export function isAccepted(accept: string | undefined, type: string): boolean {
  if (accept === undefined || accept.trim() === '') return true
  const [group] = type.split('/')
  const ranges = listed(accept)
  for (const range of [type, `${group}/*`, '*/*']) {
    const found = ranges.filter(({ name }) => name === range)
    if (found.length > 0) return found.some(({ weight }) => weight > 0)
  }
  return false
}

interface Listed {
  readonly name: string
  readonly weight: number
}

function listed(header: string): readonly Listed[] {
  return header.split(',').flatMap((item) => {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
    if (!name) return []
    const q = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
    const weight = q === undefined ? 1 : Number(q)
    return [{ name, weight: weight >= 0 && weight <= 1 ? weight : 0 }]
  })
}
