/** `export_webhooks` and `import_webhooks` in GraphQL. */
import { SluiceError } from '../errors.ts'
import type { Builder } from '../tables/builder.ts'
import type { WebhookActions } from './schema.ts'
import type { ImportedLine, ImportResult } from './transfer.ts'
import type { TransferFormat } from './transfer-format.ts'

export function addTransfer(builder: Builder, actions: WebhookActions): void {
  const line = builder.objectRef<ImportedLine>('import_webhooks_line').implement({
    fields: (t) => ({
      line: t.exposeInt('line', { nullable: false, description: 'Where in the document, from 1.' }),
      integration: t.exposeString('integration', { nullable: true }),
      name: t.exposeString('name', { nullable: true }),
      outcome: t.exposeString('outcome', { nullable: false, description: 'created, updated, unchanged or error.' }),
      id: t.field({ type: 'uuid', nullable: true, resolve: ({ id }) => id }),
      column: t.exposeString('column', { nullable: true, description: 'The field that an error is about.' }),
      message: t.exposeString('message', { nullable: true, description: 'What is wrong, for an error.' }),
      secret: t.exposeString('secret', {
        nullable: true,
        description: 'The signing secret of a webhook that was made; it is not shown again.',
      }),
    }),
  })
  const result = builder.objectRef<ImportResult>('import_webhooks_output').implement({
    fields: (t) => ({
      written: t.exposeBoolean('written', { nullable: false, description: 'False after a dry run or with errors.' }),
      created: t.exposeInt('created', { nullable: false }),
      updated: t.exposeInt('updated', { nullable: false }),
      unchanged: t.exposeInt('unchanged', { nullable: false }),
      errors: t.exposeInt('errors', { nullable: false }),
      lines: t.field({
        type: [line],
        nullable: { list: false, items: false },
        description: 'What happens with each webhook of the document, or would.',
        resolve: ({ lines }) => [...lines],
      }),
    }),
  })
  builder.queryField('export_webhooks', (t) =>
    t.string({
      nullable: false,
      description: "A team's webhooks as one document for import_webhooks. Secrets are not in it.",
      args: {
        team_id: t.arg({ type: 'uuid', required: true }),
        format: t.arg.string({ description: 'json (if not given) or csv.' }),
      },
      resolve: (_, { team_id, format }, context) => actions.export(team_id, formatOf(format), context),
    }),
  )
  builder.mutationField('import_webhooks', (t) =>
    t.field({
      type: result,
      nullable: false,
      description:
        "Makes a team's webhooks as a document says. One is known by its integration's slug and its name. All or nothing, unless skip_errors.",
      args: {
        team_id: t.arg({ type: 'uuid', required: true }),
        format: t.arg.string({ description: 'json (if not given) or csv.' }),
        document: t.arg.string({ required: true }),
        dry_run: t.arg.boolean({ required: true, description: 'Only says what would happen.' }),
        skip_errors: t.arg.boolean({ description: 'Writes the lines that are right although others are wrong.' }),
      },
      resolve: (_, { team_id, format, document, dry_run, skip_errors }, context) =>
        actions.import(
          { team_id, format: formatOf(format), document, dry_run, skip_errors: skip_errors ?? false },
          context,
        ),
    }),
  )
}

function formatOf(given: string | null | undefined): TransferFormat {
  const format = given ?? 'json'
  if (format === 'json' || format === 'csv') return format
  throw new SluiceError('VALIDATION_FAILED', 'format must be json or csv.', { path: 'format' })
}
