/** The whole log as a file: what `GET /v1/audit` sends to anybody with a token. */
import { Fault } from '../../api/fault.ts'
import type { Role } from '../../api/person.ts'
import type { SignIn } from '../../api/sign-in.ts'

export type Format = 'csv' | 'jsonl'

export interface ExportAsk {
  readonly signIn: SignIn
  readonly role: Role
  readonly format: Format
  /** Inclusive; all there is without it. */
  readonly from: string | null
}

/** Saves it in the browser's folder for downloads. @throws Fault */
export async function exportLog({ signIn, role, format, from }: ExportAsk): Promise<void> {
  const query = new URLSearchParams({ format, ...(from ? { from } : {}) })
  const token = await signIn.token()
  const response = await fetch(`/v1/audit?${query}`, {
    headers: { 'x-hasura-role': role, ...(token ? { authorization: `Bearer ${token}` } : {}) },
  }).catch((cause: unknown) => {
    throw new Fault('NETWORK', 'The gateway cannot be reached.', { cause })
  })
  if (!response.ok) {
    const problem = (await response.json().catch(() => null)) as { code?: string; detail?: string } | null
    throw new Fault(problem?.code ?? 'REFUSED', problem?.detail ?? `The gateway answered ${response.status}.`)
  }
  const link = document.createElement('a')
  link.href = URL.createObjectURL(await response.blob())
  link.download = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1] ?? `audit.${format}`
  link.click()
  URL.revokeObjectURL(link.href)
}
