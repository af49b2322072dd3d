import { describe, expect, it } from 'vitest'
import { createLimits, type LimitSettings } from './limits.ts'
import { anonymous, type Principal } from './principal.ts'

const none: LimitSettings = {
  requestsPerMinute: 0,
  requestsPerMinutePeople: 0,
  requestsPerMinuteAnonymous: 0,
  costPerMinute: 0,
  concurrent: 0,
  sockets: 0,
  perSocket: 0,
  streams: 0,
}
const credential: Principal = { ...anonymous, kind: 'credential', id: 'one', role: 'consumer' }
const person: Principal = { ...anonymous, kind: 'person', id: 'one', role: 'editor' }

describe('limits of one caller', () => {
  it('count operations down, and then say which limit, the figure, and when to come back', async () => {
    const limits = createLimits({ ...none, requestsPerMinute: 2 })
    expect(await limits.request(credential, null)).toEqual({
      name: 'requests',
      quota: 2,
      remaining: 1,
      resetSeconds: 60,
    })
    expect(await limits.request(credential, null)).toMatchObject({ remaining: 0 })
    await expect(limits.request(credential, null)).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      message: expect.stringMatching(/^The limit of 2 operations a minute is reached; come back in \d+ s\.$/),
      details: { limit: 'requests', max: 2, retry_after_seconds: expect.any(Number) },
    })
  })

  it('are one principal’s own: another, even with the same id, is not held up', async () => {
    const limits = createLimits({ ...none, requestsPerMinute: 1, requestsPerMinutePeople: 1 })
    await limits.request(credential, null)
    await expect(limits.request(person, null)).resolves.toMatchObject({ remaining: 0 })
    await expect(limits.request({ ...credential, id: 'two' }, null)).resolves.toMatchObject({ remaining: 0 })
  })

  it('count who has not said who they are by address, an IPv6 network as one', async () => {
    const limits = createLimits({ ...none, requestsPerMinuteAnonymous: 1 })
    await limits.request(anonymous, '2001:db8::1')
    await expect(limits.request(anonymous, '2001:db8::ffff')).rejects.toMatchObject({ code: 'RATE_LIMITED' })
    await limits.request(anonymous, '2001:db8:0:1::1')
    await limits.request(anonymous, '192.0.2.1')
    await expect(limits.request(anonymous, '::ffff:192.0.2.1')).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  })

  it('tell a bounded number of addresses apart: those of a flood share one count', async () => {
    const limits = createLimits({ ...none, requestsPerMinuteAnonymous: 5 })
    let refused = 0
    for (let n = 0; n < 10_100; n += 1) {
      await limits.request(anonymous, `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`).catch(() => {
        refused += 1
      })
    }
    expect(refused).toBe(95)
  })

  it('count cost as it is, also where one operation has more than the minute', async () => {
    const limits = createLimits({ ...none, costPerMinute: 100 })
    expect(await limits.cost(credential, null, 30.2)).toMatchObject({ name: 'cost', remaining: 69 })
    await expect(limits.cost(credential, null, 70)).rejects.toMatchObject({ details: { limit: 'cost', max: 100 } })
  })

  it.each(['concurrent', 'sockets', 'streams'] as const)('hold %s and give them back once', (kind) => {
    const limits = createLimits({ ...none, [kind]: 2 })
    const first = limits.hold(kind, credential, null)
    limits.hold(kind, credential, null)
    expect(() => limits.hold(kind, credential, null)).toThrow(/The limit of 2/)
    first()
    first()
    limits.hold(kind, credential, null)
    expect(() => limits.hold(kind, credential, null)).toThrow(/The limit of 2/)
  })

  it('are none where the figure is 0', async () => {
    const limits = createLimits(none)
    expect(await limits.request(credential, null)).toBeNull()
    expect(await limits.cost(credential, null, 1e9)).toBeNull()
    for (let n = 0; n < 100; n += 1) limits.hold('sockets', credential, null)
    expect(limits.perSocket).toBe(Number.POSITIVE_INFINITY)
  })
})
