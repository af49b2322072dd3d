/** GraphQL actions of files: sources upload them, consumers and editors get links to them. */
import type { Role } from '../access/principal.ts'
import type { Builder } from '../tables/builder.ts'
import type { RequestContext } from '../tables/request-context.ts'
import type { FileLink } from './links.ts'
import type { FileState, UploadTicket } from './uploads.ts'

export interface FileActions {
  createUpload(object: unknown, context: RequestContext): Promise<UploadTicket>
  completeUpload(id: string, context: RequestContext): Promise<FileState>
  createLink(id: string, context: RequestContext): Promise<FileLink>
  createLinks(session_id: string, context: RequestContext): Promise<readonly FileLink[]>
}

export function addFileActions(builder: Builder, role: Role, actions: FileActions): void {
  if (role === 'source' || role === 'admin') addUploads(builder, actions)
  if (role === 'consumer' || role === 'editor' || role === 'admin') addLinks(builder, actions)
}

function addUploads(builder: Builder, actions: FileActions): void {
  const input = builder.inputType('create_file_upload_input', {
    description: 'A file for a session, before or after it is submitted.',
    fields: (t) => ({
      team: t.string({ required: true, description: 'Slug of the team.' }),
      flow: t.string({ required: true, description: 'Slug of the flow.' }),
      session_id: t.field({
        type: 'uuid',
        required: true,
        description: 'The id under which the session is or will be submitted.',
      }),
      name: t.string({ required: true, description: 'With its extension, such as site-plan.pdf; once in a session.' }),
      type: t.string({ required: true, description: 'MIME type, such as application/pdf.' }),
      size: t.field({ type: 'bigint', description: 'In bytes; what arrives must then have it.' }),
      sha256: t.string({ description: 'Hexadecimal; what arrives must then have it.' }),
    }),
  })
  const ticket = builder.objectRef<UploadTicket>('create_file_upload_output').implement({
    description: 'Where to send the content of a file.',
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: (upload) => upload.id }),
      url: t.exposeString('url', { nullable: false, description: 'Whoever holds it can upload, until it expires.' }),
      method: t.exposeString('method', { nullable: false }),
      headers: t.field({ type: 'jsonb', nullable: false, resolve: (upload) => upload.headers }),
      expires_at: t.field({ type: 'timestamptz', nullable: false, resolve: (upload) => upload.expires_at }),
    }),
  })
  const state = builder.objectRef<FileState>('complete_file_upload_output').implement({
    description: 'What became of an uploaded file.',
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: (file) => file.id }),
      session_id: t.field({ type: 'uuid', nullable: false, resolve: (file) => file.session_id }),
      name: t.exposeString('name', { nullable: false }),
      type: t.exposeString('type', { nullable: false }),
      size: t.field({ type: 'bigint', resolve: (file) => file.size }),
      sha256: t.exposeString('sha256'),
      status: t.exposeString('status', {
        nullable: false,
        description: 'stored, pending (waits for the virus scanner), refused or quarantined.',
      }),
      reason: t.exposeString('reason', { description: 'Why it is not stored.' }),
    }),
  })
  builder.mutationField('create_file_upload', (t) =>
    t.field({
      type: ticket,
      nullable: false,
      description: 'Announces a file of a session and gives a link to PUT its content to.',
      args: { object: t.arg({ type: input, required: true }) },
      resolve: (_, { object }, context) => actions.createUpload(object, context),
    }),
  )
  builder.mutationField('complete_file_upload', (t) =>
    t.field({
      type: state,
      nullable: false,
      description: 'Takes in what was PUT: checks that it is what it was said to be, and has it scanned for viruses.',
      args: { id: t.arg({ type: 'uuid', required: true }) },
      resolve: (_, { id }, context) => actions.completeUpload(id, context),
    }),
  )
}

function addLinks(builder: Builder, actions: FileActions): void {
  const link = builder.objectRef<FileLink>('file_link').implement({
    description: 'A file of a session and, where it can be had, a link to it.',
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: (file) => file.id }),
      session_id: t.field({ type: 'uuid', nullable: false, resolve: (file) => file.session_id }),
      name: t.exposeString('name', { nullable: false }),
      type: t.exposeString('type', { nullable: false }),
      size: t.field({ type: 'bigint', resolve: (file) => file.size }),
      sha256: t.exposeString('sha256', { description: 'Hexadecimal, to check what was downloaded.' }),
      status: t.exposeString('status', { nullable: false }),
      reason: t.exposeString('reason', { description: 'Why there is no link.' }),
      url: t.exposeString('url', {
        description: 'Whoever holds it can download, until it expires. Null when there is a reason.',
      }),
      expires_at: t.field({ type: 'timestamptz', resolve: (file) => file.expires_at }),
    }),
  })
  builder.mutationField('create_file_link', (t) =>
    t.field({
      type: link,
      nullable: false,
      description:
        'A link to one file. This is a retrieval: it is audited, and for consumers it starts the retention clock.',
      args: { id: t.arg({ type: 'uuid', required: true }) },
      resolve: (_, { id }, context) => actions.createLink(id, context),
    }),
  )
  builder.mutationField('create_file_links', (t) =>
    t.field({
      type: [link],
      nullable: false,
      description: 'Links to all files of a session. This is a retrieval, as with create_file_link.',
      args: { session_id: t.arg({ type: 'uuid', required: true }) },
      resolve: async (_, { session_id }, context) => [...(await actions.createLinks(session_id, context))],
    }),
  )
}
