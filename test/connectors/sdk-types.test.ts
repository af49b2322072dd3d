/** What an author's editor shows: these are types, checked by the compiler; running them says little. */
import { expect, expectTypeOf, test } from 'vitest'
import { type Consumer, defineConnector, type Json, type Result, type Status } from '../../src/connectors/sdk.ts'

test('declared settings give their values types: mandatory ones and defaults are always there', async () => {
  const connector = defineConnector({
    settings: [
      { key: 'url', type: 'STRING', mandatory: true },
      { key: 'limit', type: 'INT', default: 3 },
      { key: 'urgent', type: 'BOOLEAN' },
      { key: 'token', type: 'PASSWORD' },
      { key: 'sent', type: 'INTERNAL' },
    ],
    async consume({ settings, state, files, store, request }) {
      expectTypeOf(settings.url).toEqualTypeOf<string>()
      expectTypeOf(settings.limit).toEqualTypeOf<number>()
      expectTypeOf(settings.urgent).toEqualTypeOf<boolean | undefined>()
      expectTypeOf(settings.token).toEqualTypeOf<string | undefined>()
      expectTypeOf(state.sent).toEqualTypeOf<Json | undefined>()
      // @ts-expect-error: it is the connector's state, and no setting.
      void settings.sent
      // @ts-expect-error: nobody declared it.
      void settings.other
      expectTypeOf(files.read).parameter(0).toEqualTypeOf<string | { readonly id: string }>()
      expectTypeOf(store.get('a')).resolves.toEqualTypeOf<Uint8Array | undefined>()
      expectTypeOf(request.get<{ id: number }>('https://a.example')).resolves.toHaveProperty('response')
      return 'success'
    },
    validateSettings({ url }, locale) {
      expectTypeOf(url).toEqualTypeOf<string>()
      expectTypeOf(locale).toEqualTypeOf<string>()
    },
  })
  expect(Object.keys(connector)).toEqual(['settings', 'consume', 'validateSettings'])
})

test('types of your own can be given, and a plain function is a consumer', () => {
  const connector = defineConnector<{ session: { applicant: string }; config: { office: number } }>({
    consume: ({ session, config }) => {
      expectTypeOf(session.applicant).toEqualTypeOf<string>()
      expectTypeOf(config.office).toEqualTypeOf<number>()
      return 'success'
    },
  })
  expect(typeof connector.consume).toBe('function')
  const smallest: Consumer = async ({ session, config, request }) => {
    const { statusCode } = await request.post(String(config.url), session)
    return statusCode === 201 ? 'success' : 'failed'
  }
  expectTypeOf<Awaited<ReturnType<typeof smallest>>>().toEqualTypeOf<Status | Result>()
})
