/** How pages read and act. */
import { createElement, type ReactNode, useCallback, useEffect, useMemo, useState } from 'react'
import { createRequest, type TypedDocumentNode, useClient, useQuery } from 'urql'
import { FaultText } from '../kit/fault-text.tsx'
import { type Fault, faultOf } from './fault.ts'
import { notify as tell } from './notify.ts'

export interface Live<Data> {
  /** The newest result; undefined until the first one. */
  readonly data: Data | undefined
  /** Nothing to show yet. */
  readonly loading: boolean
  /** The subscription ended with this; what was there before is kept. */
  readonly fault: Fault | undefined
  /** Subscribes again, after a fault. */
  readonly retry: () => void
}

export interface LiveOptions {
  /** Does not subscribe. @default false */
  readonly paused?: boolean
  /** While new variables load, goes on to show what the old ones gave, as for "load more". @default false */
  readonly keep?: boolean
}

/**
 * A live query: the result now, and again whenever it differs. Lost connections come back by themselves; the shell says
 * so meanwhile, so pages need not.
 *
 * @example
 * const { data, loading, fault, retry } = useLive(liveFlows, { team: team.id })
 */
export function useLive<Data, Variables extends object>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  { paused = false, keep = false }: LiveOptions = {},
): Live<Data> {
  const client = useClient()
  const made = createRequest(document, variables as never)
  // The key says all of it, also when a page makes its variables anew at each render.
  const request = useMemo(() => made, [made.key])
  const [attempt, setAttempt] = useState(0)
  const [result, setResult] = useState<{ key: number; data?: Data; fault?: Fault }>({ key: 0 })

  // `attempt` is no input: it starts the same subscription anew.
  useEffect(() => {
    if (paused) return
    const { key } = request
    const { unsubscribe } = client.executeSubscription<Data>(request as never).subscribe(({ data, error }) => {
      setResult((before) => ({
        key,
        data: data ?? (before.key === key || keep ? before.data : undefined),
        fault: error ? faultOf(error) : undefined,
      }))
    })
    return unsubscribe
  }, [client, request, paused, attempt])

  const current = result.key === request.key
  const data = current || keep ? result.data : undefined
  const fault = current ? result.fault : undefined
  const retry = useCallback(() => {
    setResult(({ key, data }) => ({ key, data }))
    setAttempt((number) => number + 1)
  }, [])
  return { data, fault, loading: !paused && data === undefined && !fault, retry }
}

export interface Read<Data> {
  readonly data: Data | undefined
  readonly loading: boolean
  readonly fault: Fault | undefined
  /** Asks again; what is there stays meanwhile. */
  readonly refresh: () => void
}

/** A query, for what need not be live. It shows what the cache has, and asks again. */
export function useRead<Data, Variables extends object>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  { paused = false }: { readonly paused?: boolean } = {},
): Read<Data> {
  const [{ data, fetching, error }, execute] = useQuery({
    query: document,
    variables: variables as never,
    pause: paused,
  })
  const refresh = useCallback(() => execute({ requestPolicy: 'network-only' }), [execute])
  return { data, loading: fetching && data === undefined, fault: error ? faultOf(error) : undefined, refresh }
}

/** What of a form of `@mantine/form` is needed to show a refusal in it. */
export interface FormLike {
  getValues(): object
  setFieldError(field: string, message: ReactNode): void
  /** The field's element, which then takes the focus. */
  getInputNode?(field: string): HTMLElement | null
}

export interface ActionOptions<Data> {
  /** Told in a notification when it has worked. */
  readonly success?: string | ((data: Data) => string)
  /** Faults with a path that names one of its fields are shown at that field. */
  readonly form?: FormLike
  /** Fields whose name is not the last part of the API's path: `{ 'object.team_id': 'team' }`. */
  readonly fields?: Readonly<Record<string, string>>
  /** Tells a fault in a notification, where there is no form to show it in. @default false */
  readonly notify?: boolean
}

export interface Action<Data, Variables> {
  /** Runs it. Null when it failed: then `fault` says why, or the form, or a notification. */
  readonly run: (variables: Variables) => Promise<Data | null>
  readonly running: boolean
  /** What no field of the form showed. */
  readonly fault: Fault | undefined
  readonly reset: () => void
}

/**
 * A mutation for a person to run: it knows whether it runs, and where its refusal belongs.
 *
 * @example
 * const create = useAction(createFlow, { form, success: t('created') })
 * <form onSubmit={form.onSubmit(async (values) => { if (await create.run(values)) close() })}>
 *   <ErrorAlert fault={create.fault} />
 */
export function useAction<Data, Variables extends object>(
  document: TypedDocumentNode<Data, Variables>,
  { success, form, fields = {}, notify = false }: ActionOptions<Data> = {},
): Action<Data, Variables> {
  const client = useClient()
  const [running, setRunning] = useState(false)
  const [fault, setFault] = useState<Fault>()
  const reset = useCallback(() => setFault(undefined), [])

  const run = async (variables: Variables): Promise<Data | null> => {
    setRunning(true)
    setFault(undefined)
    const { data, error } = await client.mutation(document, variables as never).toPromise()
    setRunning(false)
    if (!error && data) {
      if (success) {
        void tell('done', typeof success === 'string' ? success : success(data))
      }
      return data
    }
    const found = faultOf(error ?? new Error('The gateway gave no answer.'))
    const field = form && fieldOf(found, Object.keys(form.getValues()), fields)
    if (field) {
      form.setFieldError(field, createElement(FaultText, { fault: found }))
      form.getInputNode?.(field)?.focus()
    } else if (notify) void tell('failed', createElement(FaultText, { fault: found }))
    else setFault(found)
    return null
  }
  return { run, running, fault, reset }
}

/** @returns the form's field that a fault is about: as mapped, or the last name in its path that the form has. */
export function fieldOf(
  { path }: Pick<Fault, 'path'>,
  names: readonly string[],
  fields: Readonly<Record<string, string>> = {},
): string | undefined {
  if (!path) return undefined
  const mapped = fields[path]
  if (mapped) return mapped
  const parts = path.replaceAll(/\[\d+\]/g, '').split('.')
  return parts.findLast((part) => names.includes(part))
}
