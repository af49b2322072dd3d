import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { incomingKey, newObjectKey, sessionOf, sessionPrefix } from './keys.ts'
import { checkedFileName } from './names.ts'
import { declaredType, takenTypes } from './types.ts'

describe('a file name', () => {
  test('is kept, in composed form', () => {
    expect(checkedFileName('Plan – Straße (2).pdf')).toBe('Plan – Straße (2).pdf')
    expect(checkedFileName('e\u0301.pdf')).toBe('é.pdf')
    expect(checkedFileName('図面.pdf')).toBe('図面.pdf')
  })

  test.each([
    ['empty', ' '],
    ['a path', '../../etc/passwd.pdf'],
    ['a path of Windows', 'C:\\plan.pdf'],
    ['dots', '..'],
    ['a line break', 'a\r\nx-header: 1.pdf'],
    ['a NUL', 'a.pdf\0.exe'],
    ['turned around', 'invoice\u202Efdp.exe'],
    ['a zero-width character', 'a\u200B.pdf'],
    ['half a character', 'a\uD800.pdf'],
    ['too long', `${'ü'.repeat(130)}.pdf`],
  ])('is refused when it is %s', (_, name) => {
    expect(() => checkedFileName(name)).toThrow('The file name')
  })
})

describe('an object key', () => {
  const place = { team_id: randomUUID(), flow_id: randomUUID(), session_id: randomUUID() }

  test('is team/flow/session/file, readable, and new each time', () => {
    const id = randomUUID()
    const key = newObjectKey(place, id, 'Grundriß (é).pdf')
    expect(key).toMatch(/^([0-9a-f-]{36}\/){3}[0-9a-f-]{36}-[0-9a-f]{8}-Grundri_e_\.pdf$/)
    expect(key.startsWith(`${sessionPrefix(place)}${id}`)).toBe(true)
    expect(newObjectKey(place, id, 'a.pdf')).not.toBe(newObjectKey(place, id, 'a.pdf'))
    expect(incomingKey(key)).toBe(`${sessionPrefix(place)}incoming/${id}`)
    expect(sessionOf(key)).toBe(place.session_id)
    expect(sessionOf(incomingKey(key))).toBe(place.session_id)
  })

  test('stays plain and short whatever the name', () => {
    for (const name of ['../../x', '图'.repeat(200), `${'a'.repeat(250)}.pdf`, '....', ' ']) {
      const key = newObjectKey(place, randomUUID(), name)
      expect(key).toMatch(/^[A-Za-z0-9/._-]+$/)
      expect(key).not.toContain('..')
      expect(key.length).toBeLessThan(250)
      expect(sessionOf(key)).toBe(place.session_id)
    }
  })

  test('of something else has no session', () => {
    for (const key of ['a/b/c/d', `${place.team_id}/x.pdf`, `${sessionPrefix(place)}summary.pdf`])
      expect(sessionOf(key)).toBeUndefined()
  })
})

describe('a declared type', () => {
  const taken = takenTypes(['pdf', 'jpeg', 'geojson', 'json', 'csv'])

  test.each([
    ['plan.PDF', 'application/pdf', 'application/pdf'],
    ['photo.jpg', 'image/jpg', 'image/jpeg'],
    ['site.geojson', 'application/json', 'application/geo+json'],
    ['fees.csv', 'application/vnd.ms-excel', 'text/csv'],
    ['fees.csv', 'text/csv; charset=utf-8', 'text/csv'],
    ['plan.pdf', 'application/octet-stream', 'application/pdf'],
    ['plan.pdf', null, 'application/pdf'],
  ])('%s as %s is %s', (name, declared, mime) => {
    expect(declaredType(name, declared, taken).mime).toBe(mime)
  })

  test.each([
    ['plan.exe', null, /".exe" are not taken.*pdf, jpg/],
    ['plan.pdf.exe', 'application/pdf', /".exe"/],
    ['plan', 'application/pdf', /without an extension/],
    ['plan.svg', 'image/svg+xml', /".svg" are not taken/],
    ['plan.pdf', 'text/html', /this is application\/pdf, and its type is given as "text\/html"/],
  ])('%s as %s is refused', (name, declared, message) => {
    expect(() => declaredType(name, declared, taken)).toThrow(message)
  })

  test('that nobody knows is an error of the configuration', () => {
    expect(() => takenTypes(['pdf', 'exe'])).toThrow('FILE_TYPES has "exe", which is none of pdf, png')
  })
})
