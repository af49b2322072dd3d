/** Short names of what is addressed by them: teams, flows, integrations. */

/** What a short name looks like. */
export const slugPattern = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/

/** A short name for a new thing: "Apply: a certificate" becomes "apply-a-certificate". */
export function slugOf(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9\s-]/g, '')
    .trim()
    .replaceAll(/[\s-]+/g, '-')
    .replaceAll(/^-|-$/g, '')
}
