/** The GraphQL actions of files, over their parts. */
import type { RequestContext } from '../tables/request-context.ts'
import { createFileLinks, type FileChoice, type FileLink, type LinkParts } from './links.ts'
import type { FileActions } from './schema.ts'
import { completeUpload, createUpload, type FileParts } from './uploads.ts'

export interface FileActionParts {
  readonly parts: FileParts & LinkParts
  /** Called after something was written. */
  readonly committed: () => void
}

export function createFileActions({ parts, committed }: FileActionParts): FileActions {
  const links = async (choice: FileChoice, context: RequestContext): Promise<readonly FileLink[]> => {
    const made = await createFileLinks(parts, choice, context)
    committed()
    return made
  }
  return {
    async createUpload(object, { principal }) {
      const ticket = await createUpload(parts, object, principal)
      committed()
      return ticket
    },
    async completeUpload(id, { principal }) {
      const state = await completeUpload(parts, id, principal)
      committed()
      return state
    },
    async createLink(file_id, context) {
      const [link] = await links({ file_id }, context)
      return link as FileLink
    },
    createLinks: (session_id, context) => links({ session_id }, context),
  }
}
