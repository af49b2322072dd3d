import { describe, expect, it } from 'vitest'
import { Mailbox } from './mailbox.ts'

describe('a mailbox', () => {
  it('holds the latest result and no other', async () => {
    const mailbox = new Mailbox()
    const results = mailbox.results(() => undefined)
    for (let number = 0; number < 1_000; number += 1) mailbox.put(`${number}`)
    expect(await results.next()).toEqual({ done: false, value: '999' })
    const waiting = results.next()
    mailbox.put('later')
    expect(await waiting).toEqual({ done: false, value: 'later' })
  })

  it('ends a reader that is waiting, at once, and tells of the end', async () => {
    const mailbox = new Mailbox()
    let ended = 0
    const results = mailbox.results(() => {
      ended += 1
    })
    const waiting = results.next()
    await results.return()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(await results.next()).toEqual({ done: true, value: undefined })
    mailbox.put('too late')
    expect(await results.next()).toEqual({ done: true, value: undefined })
    expect(ended).toBeGreaterThan(0)
  })

  it('gives an error in place of what was not taken, once, and has then ended', async () => {
    const mailbox = new Mailbox()
    const results = mailbox.results(() => undefined)
    mailbox.put('not taken')
    mailbox.fail(new Error('broken'))
    await expect(results.next()).rejects.toThrow('broken')
    expect(await results.next()).toEqual({ done: true, value: undefined })
  })
})
