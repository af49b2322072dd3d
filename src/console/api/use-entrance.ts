/** A call of the sign-in, for a form: whether it runs, and where its refusal belongs. */
import { createElement, useState } from 'react'
import { FaultText } from '../kit/fault-text.tsx'
import { type Fault, faultOf } from './fault.ts'
import { type FormLike, fieldOf } from './hooks.ts'

export interface EntranceCall {
  /** @returns whether it worked. */
  readonly run: (call: () => Promise<void>) => Promise<boolean>
  readonly running: boolean
  readonly fault: Fault | undefined
}

/** @param form shows refusals at its fields; without one they are all `fault`. */
export function useEntrance(form?: FormLike, fields?: Readonly<Record<string, string>>): EntranceCall {
  const [running, setRunning] = useState(false)
  const [fault, setFault] = useState<Fault>()
  const run = async (call: () => Promise<void>) => {
    setRunning(true)
    setFault(undefined)
    try {
      await call()
      return true
    } catch (error) {
      const found = faultOf(error)
      const field = form && fieldOf(found, Object.keys(form.getValues()), fields)
      if (form && field) form.setFieldError(field, createElement(FaultText, { fault: found }))
      else setFault(found)
      return false
    } finally {
      setRunning(false)
    }
  }
  return { run, running, fault }
}
