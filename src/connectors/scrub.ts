/**
 * Takes a connection's secrets out of text that a run leaves behind: as they
 * are, as they look in a URL, and in base64. Shorter ones than four characters
 * stay, since taking them out would garble ordinary words.
 *
 * @example
 * createScrubber(['s3cret'])('Bearer s3cret') // 'Bearer [secret]'
 */
export function createScrubber(secrets: readonly string[]): (text: string) => string {
  const forms = secrets
    .filter((secret) => secret.length >= 4)
    .flatMap((secret) => [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    ])
  // Longest first, so that one secret that contains another is taken out whole.
  const ordered = [...new Set(forms)].sort((a, b) => b.length - a.length)
  return (text) => ordered.reduce((rest, form) => rest.replaceAll(form, '[secret]'), text)
}
