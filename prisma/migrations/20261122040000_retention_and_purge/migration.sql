-- AlterTable
ALTER TABLE "sessions" ADD COLUMN     "purge_reason" TEXT;

-- AlterTable
ALTER TABLE "session_grants" ADD COLUMN     "purged_at" TIMESTAMPTZ(3);

-- CreateIndex
CREATE INDEX "sessions_purged_at_expires_at_idx" ON "sessions"("purged_at", "expires_at");

-- CreateIndex
CREATE INDEX "session_grants_purged_at_expires_at_idx" ON "session_grants"("purged_at", "expires_at");

-- CreateIndex
CREATE INDEX "sessions_flow_id_status_idx" ON "sessions"("flow_id", "status");

-- An update counts when any column differs, so the triggers are made again.
SELECT track_changes('sessions',       'id team_id flow_id kind status payment_id revision trip_id submitted_at expires_at purged_at position'),
       track_changes('session_grants', 'id session_id integration_id team_id expires_at first_retrieved_at revoked_at');

-- How long a grant lives on after its first retrieval: the team's own days, or
-- the installation's. The one place that every retrieval asks, whatever hands the data over.
CREATE FUNCTION retention_after_retrieval(team uuid, installation_days float8) RETURNS interval
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT make_interval(secs => 86400 * coalesce((SELECT t.retention_after_retrieval_days FROM teams t WHERE t.id = team), installation_days))
$$;
