import { useState } from 'react'
import { type TypedDocumentNode, useClient } from 'urql'
import { type Fault, faultOf } from '../../api/fault.ts'

export interface Ask<Data, Variables> {
  readonly ask: (variables: Variables) => Promise<Data | null>
  readonly running: boolean
  readonly fault: Fault | undefined
}

/** A query that runs when somebody wants it, and then once: what it hands over is written into the audit log. */
export function useAsk<Data, Variables extends object>(
  document: TypedDocumentNode<Data, Variables>,
): Ask<Data, Variables> {
  const client = useClient()
  const [running, setRunning] = useState(false)
  const [fault, setFault] = useState<Fault>()
  const ask = async (variables: Variables): Promise<Data | null> => {
    setRunning(true)
    setFault(undefined)
    const { data, error } = await client
      .query(document, variables as never, { requestPolicy: 'network-only' })
      .toPromise()
    setRunning(false)
    if (error || !data) setFault(faultOf(error ?? new Error('The gateway gave no answer.')))
    return error ? null : (data ?? null)
  }
  return { ask, running, fault }
}
