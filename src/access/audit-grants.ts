/** SQL for an installation whose processes do not own the tables: then even they cannot take the triggers away. */

/**
 * What gives a role all that gateways and workers need, and of the audit log only to add and to read.
 * Run it as the owner, who also runs `sluice migrate`, after each migration.
 *
 * @param role name of the role that DATABASE_URL of gateways and workers uses; quoted here
 */
export function auditGrants(role: string): string {
  const name = `"${role.replaceAll('"', '""')}"`
  return `-- As the owner of the tables, in the database of Sluice. The role itself:
--   create role ${name} login password '...';
begin;
grant usage on schema public to ${name};
grant select, insert, update, delete on all tables in schema public to ${name};
grant usage, select on all sequences in schema public to ${name};
grant execute on all functions in schema public to ${name};

-- The log of who did what is only added to.
revoke update, delete, truncate, references, trigger on audit_entries, audit_blocks from ${name};
-- Migrations are the owner's.
revoke insert, update, delete, truncate on _prisma_migrations from ${name};

-- Schedules of the worker keep their tables in a schema of their own, which it makes when it first runs.
do $do$ begin execute format('grant create on database %I to %I', current_database(), '${role.replaceAll("'", "''")}'); end $do$;
commit;
`
}
