/** `schema.graphql`: what an admin sees, which is everything there is. */
import type { Role } from '../access/principal.ts'
import type { PeopleActions } from './people-schema.ts'
import { type Actions, createRoleSchemas, printRoleSchema } from './role-schemas.ts'

const notRun = () => {
  throw new Error('This schema is only printed.')
}

const peopleNotRun: PeopleActions = {
  signIn: notRun,
  refresh: notRun,
  signOut: notRun,
  signOutEverywhere: notRun,
  profile: notRun,
  updateProfile: notRun,
  invite: notRun,
  resendInvitation: notRun,
  revokeInvitation: notRun,
  acceptInvitation: notRun,
  requestPasswordReset: notRun,
  resetPassword: notRun,
  changePassword: notRun,
  disablePerson: notRun,
  enablePerson: notRun,
}

/** For who wants the schemas and runs no action. */
export const actionsNotRun: Actions = {
  sessions: {
    submit: notRun,
    submitTest: notRun,
    update: notRun,
    revalidate: notRun,
    purge: notRun,
    modify: notRun,
    waiting: notRun,
    upsertSchema: notRun,
  },
  destinations: { available: notRun, remove: notRun, withdraw: notRun },
  webhooks: {
    create: notRun,
    setHeaders: notRun,
    rotateSecret: notRun,
    rotateKey: notRun,
    export: notRun,
    import: notRun,
    explain: notRun,
    test: notRun,
    replayDelivery: notRun,
    replayDeliveries: notRun,
    cancelReplay: notRun,
    cancelDeliveries: notRun,
  },
  credentials: { create: notRun, rotate: notRun, revoke: notRun, revokeSecret: notRun, setKeys: notRun },
  people: peopleNotRun,
  files: { createUpload: notRun, completeUpload: notRun, createLink: notRun, createLinks: notRun },
  inbound: { address: notRun, rotate: notRun, discard: notRun },
  production: { run: notRun, convert: notRun, content: notRun },
  watch: { activity: notRun, auditHead: notRun },
  connectors: {
    install: notRun,
    review: notRun,
    uninstall: notRun,
    connect: notRun,
    updateSettings: notRun,
    preview: notRun,
    upgrade: notRun,
    test: notRun,
    dryRun: notRun,
    rerun: notRun,
    label: notRun,
    annotations: notRun,
  },
}

/** The printed schema of the role admin. */
export function printFullSchema(): string {
  return printSchemaOf('admin')
}

/** The printed schema of a role. */
export function printSchemaOf(role: Role): string {
  const schemas = createRoleSchemas(actionsNotRun)
  return printRoleSchema(schemas(role).schema)
}
