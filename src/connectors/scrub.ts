/**
 * Takes a connection's secrets out of text that a run leaves behind: as they
 * are, as they look in JSON, in a URL, in a form and in hex, and in base64, also
 * as part of something longer that was encoded (`user:secret`). Shorter ones
 * than four characters stay, since taking them out would garble ordinary words.
 *
 * @example
 * createScrubber(['s3cret'])('Bearer s3cret') // 'Bearer [secret]'
 */
export function createScrubber(secrets: readonly string[]): (text: string) => string {
  const forms = secrets.filter((secret) => secret.length >= 4).flatMap(formsOf)
  // Longest first, so that one secret that contains another is taken out whole.
  const ordered = [...new Set(forms)].sort((a, b) => b.length - a.length)
  return (text) => ordered.reduce((rest, form) => rest.replaceAll(form, '[secret]'), text)
}

/** Lines of a run's log as they may be kept. */
export function scrubLines<Line extends { readonly message: string }>(
  lines: readonly Line[],
  scrub: (text: string) => string,
): Line[] {
  return lines.map((line) => ({ ...line, message: scrub(line.message) }))
}

function formsOf(secret: string): string[] {
  // encodeURIComponent refuses half a surrogate pair.
  const inUrl = encodeURIComponent(secret.toWellFormed())
  const hex = Buffer.from(secret).toString('hex')
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    inUrl,
    inUrl.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    new URLSearchParams({ '': secret }).toString().slice(1),
    hex,
    hex.toUpperCase(),
    ...insideBase64(Buffer.from(secret)),
    // As `btoa` takes it: one byte a letter.
    ...insideBase64(Buffer.from(secret, 'latin1')),
  ]
}

/**
 * The letters that a secret becomes in base64 wherever it begins: there are
 * three alignments. The first and last letter may carry bits of a neighbour and
 * are left out, and with them what is shorter than six letters.
 */
function insideBase64(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const first = Math.ceil((before * 4) / 3)
    const isWhole = (before + bytes.length) % 3 === 0
    const inner = encoded.slice(first, isWhole ? undefined : -1)
    if (inner.length < 6) return before === 0 ? [encoded] : []
    const forms = before === 0 ? [encoded, inner] : [inner]
    return forms.flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')])
  })
}
