-- Producers: when connections run next, and what becomes of raw sources.

ALTER TABLE "raw_sources" ADD COLUMN     "purged_at" TIMESTAMPTZ(3);

CREATE INDEX "raw_sources_connection_id_status_position_idx" ON "raw_sources"("connection_id", "status", "position");
CREATE INDEX "raw_sources_purged_at_session_id_created_at_idx" ON "raw_sources"("purged_at", "session_id", "created_at");

-- Whoever changes a schedule, by whatever way: a worker works out the next time anew.
CREATE FUNCTION forget_next_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.next_run_at := NULL;
  RETURN NEW;
END $$;

CREATE TRIGGER forget_next_run BEFORE UPDATE OF schedule, time_zone ON connections
  FOR EACH ROW WHEN (OLD.schedule IS DISTINCT FROM NEW.schedule OR OLD.time_zone IS DISTINCT FROM NEW.time_zone)
  EXECUTE FUNCTION forget_next_run();
