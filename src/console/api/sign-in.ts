/**
 * A person's sign-in in this browser.
 *
 * It is **starting** until a kept refresh token was used or found absent; **out** when there is none, or when it ended;
 * **unreachable** when it could not be used because the gateway did not answer (it is kept, and tried again); **in** with
 * a person otherwise. The access token is in memory only. The refresh token, which works once, is in `localStorage`:
 * see docs/decisions on why. Tabs take turns at using it (a Web Lock), and tell each other the token they got.
 */
import { type Fault, faultOf } from './fault.ts'
import { type Person, readPerson } from './person.ts'
import { post } from './post.ts'

export type SignInState =
  | { readonly status: 'starting' }
  | { readonly status: 'out'; readonly fault?: Fault }
  | { readonly status: 'unreachable'; readonly fault: Fault }
  | { readonly status: 'in'; readonly person: Person }

export interface SignIn {
  state(): SignInState
  /** @returns a function that ends the subscription. */
  subscribe(listener: () => void): () => void
  /** Uses what this browser kept; called once, at start, and to try again when unreachable. */
  start(): Promise<void>
  /** An access token that works for at least half a minute; null when signed out. */
  token(): Promise<string | null>
  /** The token that is held now; null when it has ended, or is about to: then `token()` gets another. */
  held(): string | null
  /** Forgets this access token, because the API refused it. The next `token()` gets another. */
  refused(token: string | null): void
  /** @throws Fault UNAUTHENTICATED for a wrong password, RATE_LIMITED for guessing. */
  withPassword(email: string, password: string): Promise<void>
  /** Joins a team: who is new gives a name and a password, who is known the password, who is signed in neither. */
  withInvitation(token: string, name: string | null, password: string | null): Promise<void>
  withReset(token: string, password: string): Promise<void>
  changePassword(oldPassword: string, newPassword: string): Promise<void>
  /** Reads the person again, after a change of name or teams. */
  reload(): Promise<void>
  /** Gets a token with the roles of now, and reads the person again. @throws Fault */
  renew(): Promise<void>
  out(options?: { readonly everywhere?: boolean }): Promise<void>
}

export interface SignInOptions {
  /** @default '/graphql' */
  readonly endpoint?: string
  /** @default localStorage */
  readonly storage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
}

interface Answer {
  readonly token: string
  readonly expires_in: number
  readonly refresh_token: string
}

interface Held {
  readonly token: string
  /** By this browser's clock, in ms. */
  readonly endsAt: number
}

const storageKey = 'sluice.refresh-token'
/** A token is replaced so long before it ends, that a request on its way is not refused. */
const marginMs = 30_000

const answerFields = 'token expires_in refresh_token'
const documents = {
  sign_in: `mutation SignIn($email: String!, $password: String!) {
    answer: sign_in(email: $email, password: $password) { ${answerFields} } }`,
  refresh: `mutation Refresh($refresh_token: String!) {
    answer: refresh(refresh_token: $refresh_token) { ${answerFields} } }`,
  accept_invitation: `mutation AcceptInvitation($token: String!, $name: String, $password: String) {
    answer: accept_invitation(token: $token, name: $name, password: $password) { ${answerFields} } }`,
  reset_password: `mutation ResetPassword($token: String!, $password: String!) {
    answer: reset_password(token: $token, password: $password) { ${answerFields} } }`,
  change_password: `mutation ChangePassword($old_password: String!, $new_password: String!) {
    answer: change_password(old_password: $old_password, new_password: $new_password) { ${answerFields} } }`,
  sign_out: 'mutation SignOut { sign_out }',
  sign_out_everywhere: 'mutation SignOutEverywhere { sign_out_everywhere }',
}

/** A test checks them against the schema. */
export const signInDocuments = Object.values(documents)

export function createSignIn({ endpoint = '/graphql', storage = localStorage }: SignInOptions = {}): SignIn {
  const listeners = new Set<() => void>()
  const channel = new BroadcastChannel('sluice.sign-in')
  let state: SignInState = { status: 'starting' }
  let held: Held | null = null
  let refreshing: Promise<string | null> | null = null

  const become = (next: SignInState) => {
    state = next
    for (const listener of listeners) listener()
  }
  const fresh = () => (held && held.endsAt - Date.now() > marginMs ? held.token : null)

  const hold = ({ token, expires_in, refresh_token }: Answer) => {
    held = { token, endsAt: Date.now() + expires_in * 1000 }
    storage.setItem(storageKey, refresh_token)
    channel.postMessage({ held })
    return token
  }
  const forget = (fault?: Fault) => {
    held = null
    storage.removeItem(storageKey)
    channel.postMessage({ out: true })
    become({ status: 'out', fault })
  }
  const enter = async (token: string) => {
    const person = await readPerson(token, { endpoint })
    become({ status: 'in', person })
  }

  /** A token is often voided because roles have changed: what the person may do is asked for again with the next. */
  const reread = (token: string) => {
    // What failed is asked again with the next token; until then the API refuses what is no longer allowed.
    if (state.status === 'in') enter(token).catch(() => {})
  }

  const refresh = (): Promise<string | null> =>
    navigator.locks.request('sluice.refresh', async () => {
      // Another tab may have been faster.
      const token = fresh()
      if (token) return token
      const refreshToken = storage.getItem(storageKey)
      if (!refreshToken) {
        if (state.status !== 'out') forget()
        return null
      }
      try {
        const { answer } = await post<{ answer: Answer }>(
          documents.refresh,
          { refresh_token: refreshToken },
          { endpoint },
        )
        const next = hold(answer)
        reread(next)
        return next
      } catch (error) {
        const fault = faultOf(error)
        if (fault.code !== 'UNAUTHENTICATED' && fault.code !== 'FORBIDDEN') throw fault
        forget(fault)
        return null
      }
    })

  const token = async (): Promise<string | null> => {
    const now = fresh()
    if (now) return now
    refreshing ??= refresh().finally(() => {
      refreshing = null
    })
    return refreshing
  }

  const begin = async (document: string, variables: Readonly<Record<string, unknown>>, as?: string) => {
    const { answer } = await post<{ answer: Answer }>(document, variables, { endpoint, token: as })
    await enter(hold(answer))
  }

  channel.onmessage = ({ data }: MessageEvent<{ held?: Held; out?: boolean }>) => {
    if (data.out) {
      held = null
      if (state.status !== 'out') become({ status: 'out' })
      return
    }
    if (!data.held) return
    held = data.held
    // Somebody signed in in another tab, perhaps as somebody else, or has other roles now.
    enter(data.held.token).catch(() => {})
  }

  return {
    state: () => state,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async start() {
      if (!storage.getItem(storageKey)) return become({ status: 'out' })
      try {
        const now = await token()
        if (now) await enter(now)
      } catch (error) {
        become({ status: 'unreachable', fault: faultOf(error) })
      }
    },
    token,
    held: fresh,
    refused(token) {
      if (held && (token === null || held.token === token)) held = null
    },
    withPassword: (email, password) => begin(documents.sign_in, { email, password }),
    withInvitation: async (invitation, name, password) =>
      begin(
        documents.accept_invitation,
        { token: invitation, name, password },
        // Without a password it is the person who is signed in that accepts.
        password === null ? ((await token()) ?? undefined) : undefined,
      ),
    withReset: (token, password) => begin(documents.reset_password, { token, password }),
    async changePassword(oldPassword, newPassword) {
      const { answer } = await post<{ answer: Answer }>(
        documents.change_password,
        { old_password: oldPassword, new_password: newPassword },
        { endpoint, token: (await token()) ?? undefined },
      )
      hold(answer)
    },
    async reload() {
      const now = await token()
      if (now) await enter(now)
    },
    async renew() {
      held = null
      await token()
    },
    async out({ everywhere = false } = {}) {
      const now = await token().catch(() => null)
      try {
        if (now)
          await post(everywhere ? documents.sign_out_everywhere : documents.sign_out, {}, { endpoint, token: now })
      } catch (error) {
        // Whoever leaves this browser leaves it, also when nobody answers; everywhere else must be true to be said.
        if (everywhere) throw faultOf(error)
      }
      forget()
    },
  }
}
