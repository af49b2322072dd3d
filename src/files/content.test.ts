import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { createContentCheck } from './content.ts'
import { docx, eicar, gif, pdf, png, program, svg, zip } from './samples.fixture.ts'
import { type FileType, knownTypes } from './types.ts'

const typeNamed = (name: string) => knownTypes.find((type) => type.name === name) as FileType

/** In pieces of `pieces` bytes, as a stream may bring it. */
async function check(name: string, content: Buffer, { pieces = content.length, maxBytes = 1e6 } = {}) {
  const running = createContentCheck({ type: typeNamed(name), maxBytes })
  for (let at = 0; at < content.length; at += pieces) running.take(content.subarray(at, at + pieces))
  return running.finish()
}

const utf8 = (text: string) => Buffer.from(text)
const heic = Buffer.concat([utf8('\0\0\0\x18ftypheic\0\0\0\0mif1heic'), Buffer.alloc(64)])

test.each<[string, string, Buffer]>([
  ['a PDF', 'pdf', pdf],
  ['a PNG', 'png', png],
  ['a GIF', 'gif', gif],
  ['a JPEG', 'jpeg', Buffer.from('ffd8ffe000104a46494600010100000100010000ffd9', 'hex')],
  ['a HEIC', 'heic', heic],
  ['a Word file with its list of contents last', 'docx', docx()],
  ['a ZIP archive, where those are taken', 'zip', zip({ a: 'b' })],
  ['plain text', 'txt', utf8('Dear planners,\r\n\tsee £ and ü.\n')],
  ['the EICAR string, which is plain text until a scanner says otherwise', 'txt', eicar],
  ['a spreadsheet in an older encoding', 'csv', Buffer.from('name,fee\nRené,£206\n', 'latin1')],
  ['JSON with a byte order mark', 'json', utf8('\uFEFF {"a": [1, 2]}\n')],
  ['GeoJSON', 'geojson', utf8('{"features": [], "type": "FeatureCollection"}')],
  ['an SVG', 'svg', svg],
])('%s is what it says', async (_, name, content) => {
  const facts = await check(name, content)
  expect(facts).toEqual({
    size: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    problem: null,
  })
  expect(await check(name, content, { pieces: 7 })).toEqual(facts)
})

test.each<[string, string, Buffer, RegExp]>([
  ['a program named as a PDF', 'pdf', program, /is application\/x-msdownload/],
  ['a program named as text', 'txt', program, /bytes that text has not|is application/],
  [
    'a Linux program named as a PNG',
    'png',
    Buffer.concat([Buffer.from('7f454c46020101', 'hex'), Buffer.alloc(64)]),
    /is application\/x-elf/,
  ],
  ['a PNG named as a PDF', 'pdf', png, /is image\/png/],
  ['a PDF named as text', 'txt', pdf, /is application\/pdf/],
  ['random bytes named as a PNG', 'png', Buffer.from('0102030405060708', 'hex'), /not recognised/],
  ['HTML named as text', 'txt', utf8('\n<!DOCTYPE html><html></html>'), /HTML/],
  ['HTML named as CSV', 'csv', utf8('a,b\n<script>alert(1)</script>'), /HTML/],
  ['a GIF that begins as HTML', 'gif', Buffer.concat([utf8('GIF89a/*<script>alert(1)</script>'), gif]), /also HTML/],
  ['a GIF that ends as an archive', 'gif', Buffer.concat([gif, zip({ 'Main.class': 'x' })]), /also a ZIP/],
  [
    'a PDF that ends as an archive with a comment after it',
    'pdf',
    Buffer.concat([pdf, commented(zip({ a: 'b' }))]),
    /also a ZIP/,
  ],
  ['a shell script named as text', 'txt', utf8('#!/bin/sh\nrm -rf /\n'), /script/],
  ['any archive named as a Word file', 'docx', zip({ 'evil.js': 'x' }), /another kind of ZIP/],
  ['a Word file with macros', 'docx', docx({ 'word/vbaProject.bin': 'x' }), /macros/],
  ['text of UTF-16', 'txt', Buffer.from('\uFEFFa,b', 'utf16le'), /text has not|is /],
  ['JSON that is cut off', 'json', utf8('{"a": [1, 2'), /not a whole/],
  ['JSON that is no UTF-8', 'json', Buffer.from('{"a": "é"}', 'latin1'), /UTF-8/],
  ['JSON named as GeoJSON', 'geojson', utf8('{"type": "Cat"}'), /no type of GeoJSON/],
  ['an SVG with a script', 'svg', utf8('<svg><script>alert(1)</script></svg>'), /scripts/],
  ['an SVG with an event handler', 'svg', utf8('<svg onload = "alert(1)"></svg>'), /scripts/],
  [
    'an SVG with entities',
    'svg',
    utf8('<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>'),
    /scripts/,
  ],
  ['an SVG that fetches', 'svg', utf8('<svg><image href="https://spy.example/a.png"/></svg>'), /scripts/],
  ['nothing at all', 'pdf', Buffer.alloc(0), /empty/],
])('%s is refused', async (_, name, content, problem) => {
  expect((await check(name, content)).problem).toMatch(problem)
  expect((await check(name, content, { pieces: 5 })).problem).toMatch(problem)
})

test('stops at the limit, and not before', async () => {
  expect((await check('pdf', pdf, { maxBytes: pdf.length })).problem).toBeNull()
  await expect(check('pdf', pdf, { maxBytes: pdf.length - 1, pieces: 10 })).rejects.toMatchObject({ code: 'TOO_LARGE' })
})

/** What reads an archive from its end skips its comment. */
function commented(archive: Buffer): Buffer {
  const comment = utf8('%%EOF')
  const changed = Buffer.from(archive)
  changed.writeUInt16LE(comment.length, changed.length - 2)
  return Buffer.concat([changed, comment])
}
