/**
 * Submits a session to Idox Uniform: a token, a submission, the archive with
 * everything in it, and a look at what became of it. An archive that was
 * uploaded twice for one submission replaces itself; a second submission would
 * be a second case, so the id of the first is kept before anything else is done.
 */
import { defineConnector, type FullResponse, type Json, type Outgoing, type Request } from 'sluice/connector'
import { final, refusal } from './answers.ts'
import { entriesOf } from './archive.ts'
import { openLedger, type Progress } from './ledger.ts'
import { faultsOf, passportOf } from './proposal.ts'

interface Settings {
  readonly token_url: string
  /** `…/secure/submission` is put behind it. */
  readonly submission_url: string
  readonly client_id: string
  readonly client_secret: string
  /** Without them, as the token says. */
  readonly organisation?: string
  readonly organisation_id?: string
  readonly 'funnel.environment.isproduction'?: boolean
}

const timeoutMs = 50_000
/** Idox saves an archive before it answers, and a line may be slow. The connection's `timeout_ms` ends it earlier. */
const uploadMs = 300_000
/** Of an archive that a connector sends; a list of files ends there too. */
const mostEntries = 1000

// Runs of a connection with state take turns, and so none overwrites what another notes in the store.
export default defineConnector<{ settings: Settings; state: { submissions: Json } }>({
  validateSettings({ token_url, submission_url }, locale) {
    for (const address of [token_url, submission_url]) {
      const protocol = URL.parse(address)?.protocol
      if (protocol === 'https:' || protocol === 'http:') continue
      throw new Error(
        locale.startsWith('de')
          ? `„${address}“ ist keine Adresse. Eine Adresse beginnt mit https://.`
          : `"${address}" is no address. An address begins with https://.`,
      )
    }
  },

  async testConnection(settings, _locale, { request }) {
    const { organisation } = await signedIn(settings, request)
    return `Idox knows the client${organisation ? ` of ${organisation}` : ''}.`
  },

  async consume({ session, event, settings, state, request, files, store, log }) {
    const passport = passportOf(session)
    if (!passport) return final('The session has no passport, of which a proposal for Uniform is made.')
    const faults = faultsOf(passport)
    if (faults.length > 0) return final(`Uniform would refuse this session: ${faults.join('; ')}.`)

    const ledger = await openLedger(`${event.id}/${event.revision}`, store)
    if (ledger.progress?.done) return { message: `Uniform has it already: ${ledger.progress.submission}` }
    const listed = await files.list()
    const waiting = listed.filter(({ status }) => status === 'pending').length
    if (waiting > 0) return `${waiting} ${waiting === 1 ? 'file is' : 'files are'} still being checked.`

    const entries = entriesOf({ passport, event, files: listed })
    if (entries.length > mostEntries) {
      return final(
        `The session has too many files for Uniform: ${mostEntries} entries fit into its archive, and it would have ${entries.length}. Nothing was sent; hand the files over in another way.`,
      )
    }
    const identity = await signedIn(settings, request)
    const call = authorised(settings, request, identity)
    const base = `${settings.submission_url.replace(/\/+$/, '')}/secure/submission`

    let progress: Progress | undefined = ledger.progress
    if (progress) {
      const found = await call({ url: `${base}/${progress.submission}` })
      if (found.statusCode === 404) progress = undefined
      else if (found.statusCode !== 200) return refusal('Uniform', found.statusCode, detailOf(found.response))
      else if (isTaken(found.response)) return finish(progress.submission)
    }
    if (!progress) {
      const made = await call({
        method: 'POST',
        url: base,
        body: {
          entity: 'dc',
          module: 'dc',
          organisation: settings.organisation || identity.organisation,
          organisationId: settings.organisation_id || identity.organisationId,
          submissionReference: event.id,
          description: `${settings['funnel.environment.isproduction'] ? 'Production' : 'Staging'} submission from Sluice`,
          submissionProcessorType: 'API',
        },
      })
      if (made.statusCode !== 201) return refusal('Uniform', made.statusCode, detailOf(made.response))
      const submission = lastPart(made.headers.location)
      if (!submission) throw new Error('Uniform made a submission and did not say which. It is tried again.')
      progress = { submission, uploaded: false, done: false }
      await ledger.note(progress)
    }

    const address = `${base}/${encodeURIComponent(progress.submission)}`
    if (!progress.uploaded) {
      const name = `${fileSafe(event.flow)}-${event.id}.zip`
      const sent = await call({
        method: 'POST',
        url: `${address}/archive`,
        timeoutMs: uploadMs,
        bodyType: 'multipart',
        body: [{ name: 'file', archive: entries, filename: name }],
      })
      if (sent.statusCode !== 204 && sent.statusCode !== 200) {
        return refusal('Uniform', sent.statusCode, detailOf(sent.response))
      }
      progress = { ...progress, uploaded: true }
      await ledger.note(progress)
      const stored = listed.filter(({ status }) => status === 'stored')
      const bytes = stored.reduce((sum, { size }) => sum + (size ?? 0), 0)
      log.info(`Uploaded ${stored.length} files of ${megabytes(bytes)} MB.`)
    }

    const found = await call({ url: address })
    if (found.statusCode !== 200) return refusal('Uniform', found.statusCode, detailOf(found.response))
    if (isTaken(found.response)) return finish(progress.submission)
    const { submissionStatus } = (found.response ?? {}) as { readonly submissionStatus?: unknown }
    if (submissionStatus === 'FAILED' || submissionStatus === 'ERROR') {
      // Whoever delivers it again begins anew.
      await ledger.note(undefined)
      return final(`Uniform could not read submission ${progress.submission}: ${submissionStatus}.`)
    }
    return `Uniform has not yet taken submission ${progress.submission}. It is asked again.`

    async function finish(submission: string) {
      await ledger.note({ submission, uploaded: true, done: true })
      state.submissions = Number(state.submissions ?? 0) + 1
      return { message: `Uniform submission: ${submission}` }
    }
  },
})

interface Identity {
  token: string
  readonly organisation: string | undefined
  readonly organisationId: string | undefined
}

/** @throws when there is no token: the credential is wrong, or Idox is away; both can be mended. */
async function signedIn({ token_url, client_id, client_secret }: Settings, request: Request): Promise<Identity> {
  const { statusCode, response } = await request.post<{ access_token?: unknown } | null>(
    token_url,
    { client_id, client_secret, grant_type: 'client_credentials' },
    { bodyType: 'form', headers: { authorization: `Basic ${btoa(`${client_id}:${client_secret}`)}` }, timeoutMs },
  )
  const token = response?.access_token
  if (statusCode !== 200 || typeof token !== 'string') {
    throw new Error(
      `Idox answered ${statusCode} to the client's id and secret and gave no token. Check them in the settings.`,
    )
  }
  const claims = claimsOf(token)
  return {
    token,
    organisation: textOf(claims['organisation-name']),
    organisationId: textOf(claims['organisation-id']),
  }
}

/** Calls with the token, and once more with a new one when it is no longer taken. */
function authorised(settings: Settings, request: Request, identity: Identity) {
  return async (outgoing: Outgoing): Promise<FullResponse> => {
    const send = () =>
      request.send({
        timeoutMs,
        ...outgoing,
        headers: { ...outgoing.headers, authorization: `Bearer ${identity.token}` },
      })
    const answer = await send()
    if (answer.statusCode !== 401) return answer
    identity.token = (await signedIn(settings, request)).token
    return send()
  }
}

/** Of a JWT; it is Idox's to verify. */
function claimsOf(token: string): Readonly<Record<string, unknown>> {
  try {
    const part = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0))
    const claims = JSON.parse(new TextDecoder().decode(bytes))
    return typeof claims === 'object' && claims !== null ? claims : {}
  } catch {
    return {}
  }
}

function isTaken(response: unknown): boolean {
  const { submissionStatus, canDownload } = (response ?? {}) as {
    readonly submissionStatus?: unknown
    readonly canDownload?: unknown
  }
  return submissionStatus === 'PENDING' && canDownload === true
}

function detailOf(response: unknown): string {
  const { message, error, error_description: described } = (response ?? {}) as Readonly<Record<string, unknown>>
  return [message, error, described].filter((each) => typeof each === 'string').join(', ')
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}

function lastPart(location: string | undefined): string | undefined {
  return (
    location
      ?.replace(/[?#].*$/, '')
      .replace(/\/+$/, '')
      .split('/')
      .at(-1) || undefined
  )
}

function fileSafe(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._-]+/g, '_')
}

function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1)
}
