-- The list of what is to be worked off, for a team: only exhausted deliveries are in it.
-- CreateIndex
CREATE INDEX "deliveries_team_id_finished_at_idx" ON "deliveries"("team_id", "finished_at" DESC) WHERE status = 'exhausted';
