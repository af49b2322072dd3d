/** The rooms of the domain as the gateway offers them: their actions, and the rules for writes of their tables. */

import { readAuditHead } from '../access/audit-head.ts'
import type { Sealer } from '../access/seal.ts'
import { createSignIns } from '../access/sign-ins.ts'
import type { Config } from '../config.ts'
import { createConnectorActions } from '../connectors/actions.ts'
import { createInboundActions } from '../connectors/inbound-actions.ts'
import { createProductionActions } from '../connectors/production-actions.ts'
import { createTaskDesk } from '../connectors/task-desk.ts'
import type { Database } from '../database/database.ts'
import { createNotifier, productionChannel, settlingsChannel } from '../database/notifications.ts'
import { createMailer } from '../egress/mail.ts'
import { createFileActions } from '../files/actions.ts'
import { type AllFileParts, createFileParts } from '../files/parts.ts'
import type { Log } from '../log.ts'
import { createSessionActions } from '../sessions/actions.ts'
import { createDestinationActions } from '../sessions/destinations-actions.ts'
import { storeSchemaFolder } from '../sessions/payload-schemas.ts'
import type { SessionActions } from '../sessions/schema.ts'
import { createSchemaChecker } from '../sessions/schema-checker.ts'
import { parsePattern } from '../tables/event-shape.ts'
import type { WriteRules } from '../tables/write-rules.ts'
import { createWebhookActions } from '../webhooks/actions.ts'
import { ensureWebhookKey } from '../webhooks/signing-keys.ts'
import type { AccessParts } from './access-parts.ts'
import { createActivity } from './activity.ts'
import { createCredentialActions } from './credential-actions.ts'
import type { LiveParts } from './live-parts.ts'
import { createPeopleActions } from './people-actions.ts'
import type { Actions } from './role-schemas.ts'
import { createWriteRules } from './write-rules.ts'

export interface DomainOptions {
  readonly config: Config
  readonly database: Database
  readonly sealer: Sealer
  readonly access: AccessParts
  readonly live: LiveParts
  readonly log: Log
}

export interface DomainParts {
  readonly actions: Actions
  readonly rules: WriteRules
  readonly files: AllFileParts
  /** Sessions that were submitted since the start, by what became of them; `repeated` were here already. */
  readonly submissions: Readonly<Record<Submission, number>>
  close(): Promise<void>
}

export type Submission = 'submitted' | 'settling' | 'invalid' | 'repeated'

/** Stores the schemas of SCHEMA_FOLDER, and makes the key that webhooks are signed with where there is none. */
export async function openDomain(options: DomainOptions): Promise<DomainParts> {
  const { config, database, sealer, access, live, log } = options
  const { committed, feed } = live
  const checker = createSchemaChecker()
  if (config.SCHEMA_FOLDER) await storeSchemaFolder(config.SCHEMA_FOLDER, { database, checker, log })
  await ensureWebhookKey(database, sealer)
  const reach = { allow: config.EGRESS_ALLOW, deny: config.EGRESS_DENY }
  const webhooks = { rules: reach, validatePattern: parsePattern }
  const mailer = createMailer({ url: config.SMTP_URL, from: config.MAIL_FROM })
  const signIns = createSignIns({
    database,
    tokens: access.tokens,
    secretKey: config.SLUICE_SECRET_KEY,
    idleSeconds: config.SIGN_IN_IDLE_DAYS * 86_400,
    longestSeconds: config.SIGN_IN_DAYS * 86_400,
  })
  const people = createPeopleActions({
    database,
    signIns,
    attempts: access.attempts,
    slowHash: access.slowHash,
    mailer,
    publicUrl: config.PUBLIC_URL.replace(/\/$/, ''),
    invitationDays: config.INVITATION_DAYS,
    passwordResetMinutes: config.PASSWORD_RESET_MINUTES,
    committed,
    log,
  })
  const files = createFileParts({ config, pool: database.pool, log })
  const settling = createNotifier({ pool: database.pool, channels: [settlingsChannel], log })
  const submissions: Record<Submission, number> = { submitted: 0, settling: 0, invalid: 0, repeated: 0 }
  const sessions = createSessionActions({
    settling: () => settling.notify(),
    database,
    checker,
    files: files.files,
    mailFolder: config.MAIL_FOLDER,
    retentionDays: config.RETENTION_DAYS,
    committed,
    log,
  })
  const production = createNotifier({ pool: database.pool, channels: [productionChannel], log })
  const readActivity = createActivity(database.pool)
  const desk = createTaskDesk({ pool: database.pool, sealer, feed })
  return {
    actions: {
      sessions: countingSubmissions(sessions, submissions),
      destinations: createDestinationActions({ database, committed }),
      webhooks: createWebhookActions({ database, sealer, ...webhooks, committed, feed }),
      credentials: createCredentialActions({ database, environment: config.SLUICE_ENVIRONMENT, committed }),
      people,
      files: createFileActions({ parts: files, committed }),
      connectors: createConnectorActions({
        database,
        sealer,
        reach,
        desk,
        retentionAfterRetrievalDays: config.RETENTION_AFTER_RETRIEVAL_DAYS,
        committed,
      }),
      inbound: createInboundActions({
        pool: database.pool,
        sealer,
        publicUrl: config.PUBLIC_URL.replace(/\/$/, ''),
        committed,
      }),
      production: createProductionActions({ pool: database.pool, wanted: () => production.notify(), committed }),
      watch: {
        activity: (ask, { principal }) => readActivity(ask, principal),
        auditHead: () => readAuditHead(database.pool),
      },
    },
    rules: createWriteRules({ sealer, webhooks, checker, retention: { maxDays: config.RETENTION_MAX_DAYS } }),
    files,
    submissions,
    async close() {
      await people.close()
      await production.close()
      await mailer.close()
      await settling.close()
      await checker.close()
    },
  }
}

function countingSubmissions(actions: SessionActions, counts: Record<Submission, number>): SessionActions {
  return {
    ...actions,
    async submit(object, context) {
      const result = await actions.submit(object, context)
      const became = result.created ? result.status : 'repeated'
      if (became in counts) counts[became as Submission] += 1
      return result
    },
  }
}
