/** What may be entered as the URL of a webhook. The last word is spoken when it is dialled, by `egress/`. */
import { isIP } from 'node:net'
import { createAddressPolicy } from '../egress/addresses.ts'
import { destinationOf, judgeAddresses, refusalInPublic } from '../egress/destination.ts'
import { type Resolve, resolveBySystem } from '../egress/dial.ts'
import { SluiceError } from '../errors.ts'

export interface UrlRules {
  /** Networks that may be called although they are not public (`EGRESS_ALLOW`); plain http is possible there. */
  readonly allow: readonly string[]
  /** Networks that may never be called (`EGRESS_DENY`). */
  readonly deny?: readonly string[]
  readonly resolve?: Resolve
}

const mostLength = 2048

/**
 * The URL in its normal form.
 *
 * @throws SluiceError VALIDATION_FAILED that says which rule it breaks.
 */
export async function checkWebhookUrl(
  text: string,
  { allow, deny = [], resolve = resolveBySystem }: UrlRules,
): Promise<string> {
  const judge = createAddressPolicy(allow, deny)
  const url = URL.parse(text.trim())
  if (!url) throw refused(`"${text.slice(0, 100)}" is not a URL. It should look like https://example.com/hooks/sluice.`)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw refused(`A webhook is called over https, not ${url.protocol.slice(0, -1)}.`)
  }
  if (url.username || url.password) {
    throw refused('The URL must not hold a user name or password. Calls are signed, so the receiver knows who calls.')
  }
  if (url.href.length > mostLength) throw refused(`The URL may be ${mostLength} characters long at most.`)
  url.hash = ''

  const destination = destinationOf(url)
  const { hostname } = destination
  if (isIP(hostname) !== 0) {
    const [finding] = judgeAddresses(destination, [hostname], { judge, allowHttp: false })
    if (finding?.refusal) throw refused(finding.refusal)
  } else {
    const refusal = refusalInPublic(destination, false)
    if (refusal && !(await isListed(hostname))) throw refused(refusal)
  }
  return url.href

  async function isListed(host: string): Promise<boolean> {
    const addresses = await resolve(host).catch(() => [])
    return addresses.length > 0 && addresses.every((address) => judge(address).listed)
  }
}

function refused(message: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', message, { path: 'url' })
}
