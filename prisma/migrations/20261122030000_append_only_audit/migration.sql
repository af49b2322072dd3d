-- An entry keeps the team it was about when that team is deleted: the entry is
-- sealed with its team_id, and a reference that clears it would change the past.
-- DropForeignKey
ALTER TABLE "audit_entries" DROP CONSTRAINT "audit_entries_team_id_fkey";

-- AlterTable
ALTER TABLE "audit_blocks" ADD COLUMN     "leaves" BYTEA NOT NULL;

-- Entries and blocks are written once, whoever writes. Only an owner who takes
-- these triggers away can do otherwise, and `sluice audit verify` finds that.
CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit_entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_blocks FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit_blocks FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- The team that rows with these ids belong to, or null when it is not exactly one: whose editors see an entry about them.
CREATE FUNCTION audit_team(ids uuid[]) RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN count(DISTINCT team_id) = 1 THEN (array_agg(team_id))[1] END FROM (
    SELECT id AS team_id FROM teams WHERE id = ANY (ids)
    UNION ALL SELECT team_id FROM sessions WHERE id = ANY (ids)
    UNION ALL SELECT team_id FROM flows WHERE id = ANY (ids)
    UNION ALL SELECT team_id FROM integrations WHERE id = ANY (ids) AND team_id IS NOT NULL
    UNION ALL SELECT team_id FROM api_credentials WHERE id = ANY (ids) AND team_id IS NOT NULL
    UNION ALL SELECT team_id FROM webhooks WHERE id = ANY (ids) AND team_id IS NOT NULL
    UNION ALL SELECT team_id FROM connections WHERE id = ANY (ids) AND team_id IS NOT NULL
    UNION ALL SELECT team_id FROM deliveries WHERE id = ANY (ids) AND team_id IS NOT NULL
    UNION ALL SELECT team_id FROM replays WHERE id = ANY (ids) AND team_id IS NOT NULL
  ) AS owners
$$;
