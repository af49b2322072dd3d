-- What is not final stands in a narrow table of its own, so that writing the end of a
-- delivery touches none of the nine indexes by which people find it: due_at is in none
-- of them any more, and a page has room for the new version of each of its rows (HOT).

-- CreateTable
CREATE TABLE "delivery_queue" (
    "delivery_id" UUID NOT NULL,
    "target_id" UUID NOT NULL,
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "event_position" TEXT COLLATE "C",

    CONSTRAINT "delivery_queue_pkey" PRIMARY KEY ("delivery_id")
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_scale_factor = 0.05, autovacuum_analyze_threshold = 2000);

INSERT INTO delivery_queue (delivery_id, target_id, due_at, event_position)
SELECT id, coalesce(webhook_id, connection_id), due_at, event_position FROM deliveries WHERE due_at IS NOT NULL;

-- A lane after the other: by time for most lanes, by position for those that keep strict order.
-- CreateIndex
CREATE INDEX "delivery_queue_target_id_due_at_idx" ON "delivery_queue"("target_id", "due_at");
-- CreateIndex
CREATE INDEX "delivery_queue_target_id_event_position_delivery_id_idx" ON "delivery_queue"("target_id", "event_position", "delivery_id");

DROP INDEX deliveries_lane_due_idx;
DROP INDEX deliveries_lane_order_idx;
ALTER TABLE deliveries SET (fillfactor = 50);

-- Whoever writes deliveries keeps the queue with it, by plain SQL too. Looked up by
-- index whatever the statistics say: a plan is kept for as long as the connection, and
-- the queue may have been empty when it was made.
CREATE FUNCTION keep_delivery_queue() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO delivery_queue (delivery_id, target_id, due_at, event_position)
    SELECT n.id, coalesce(n.webhook_id, n.connection_id), n.due_at, n.event_position
      FROM new_rows n
     WHERE n.due_at IS NOT NULL;
  ELSIF TG_OP = 'DELETE' THEN
    DELETE FROM delivery_queue q WHERE q.delivery_id = ANY (ARRAY(SELECT o.id FROM old_rows o));
  ELSE
    DELETE FROM delivery_queue q
     WHERE q.delivery_id = ANY (ARRAY(SELECT n.id FROM new_rows n WHERE n.due_at IS NULL));
    INSERT INTO delivery_queue (delivery_id, target_id, due_at, event_position)
    SELECT n.id, coalesce(n.webhook_id, n.connection_id), n.due_at, n.event_position
      FROM new_rows n
     WHERE n.due_at IS NOT NULL
        ON CONFLICT (delivery_id) DO UPDATE SET due_at = excluded.due_at
     WHERE delivery_queue.due_at <> excluded.due_at;
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER keep_queue_insert AFTER INSERT ON deliveries REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_delivery_queue();
CREATE TRIGGER keep_queue_update AFTER UPDATE ON deliveries REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_delivery_queue();
CREATE TRIGGER keep_queue_delete AFTER DELETE ON deliveries REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_delivery_queue();

-- As track_changes() writes it, but an update's two images share what did not change:
-- building each from its columns was most of what the log cost (16 of 20 µs a row). The
-- plan is kept as it was made for a connection's first update, often of one row: without
-- nested loops, so that an update of hundreds is not compared each with each.
CREATE OR REPLACE FUNCTION log_deliveries() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO change_log (table_name, operation, key, new)
    SELECT 'deliveries', 'insert', jsonb_build_object('id', n.id),
           jsonb_build_object('id', n.id, 'event_id', n.event_id, 'operational_event_id', n.operational_event_id, 'session_id', n.session_id, 'team_id', n.team_id, 'integration_id', n.integration_id, 'webhook_id', n.webhook_id, 'connection_id', n.connection_id, 'replay_id', n.replay_id, 'status', n.status, 'attempt_count', n.attempt_count)
      FROM new_rows n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO change_log (table_name, operation, key, old)
    SELECT 'deliveries', 'delete', jsonb_build_object('id', o.id),
           jsonb_build_object('id', o.id, 'event_id', o.event_id, 'operational_event_id', o.operational_event_id, 'session_id', o.session_id, 'team_id', o.team_id, 'integration_id', o.integration_id, 'webhook_id', o.webhook_id, 'connection_id', o.connection_id, 'replay_id', o.replay_id, 'status', o.status, 'attempt_count', o.attempt_count)
      FROM old_rows o;
  ELSE
    INSERT INTO change_log (table_name, operation, key, old, new)
    SELECT 'deliveries', 'update', jsonb_build_object('id', n.id),
           CASE WHEN (o.id, o.event_id, o.operational_event_id, o.session_id, o.team_id, o.integration_id, o.webhook_id, o.connection_id, o.replay_id) IS NOT DISTINCT FROM (n.id, n.event_id, n.operational_event_id, n.session_id, n.team_id, n.integration_id, n.webhook_id, n.connection_id, n.replay_id)
                THEN n.image || jsonb_build_object('status', o.status, 'attempt_count', o.attempt_count)
                ELSE jsonb_build_object('id', o.id, 'event_id', o.event_id, 'operational_event_id', o.operational_event_id, 'session_id', o.session_id, 'team_id', o.team_id, 'integration_id', o.integration_id, 'webhook_id', o.webhook_id, 'connection_id', o.connection_id, 'replay_id', o.replay_id, 'status', o.status, 'attempt_count', o.attempt_count) END,
           n.image
      FROM old_rows o
      JOIN (SELECT r.*,
                   jsonb_build_object('id', r.id, 'event_id', r.event_id, 'operational_event_id', r.operational_event_id, 'session_id', r.session_id, 'team_id', r.team_id, 'integration_id', r.integration_id, 'webhook_id', r.webhook_id, 'connection_id', r.connection_id, 'replay_id', r.replay_id, 'status', r.status, 'attempt_count', r.attempt_count) AS image
              FROM new_rows r OFFSET 0) n USING (id)
     -- What mostly changes comes first.
     WHERE o.status IS DISTINCT FROM n.status OR o.attempt_count IS DISTINCT FROM n.attempt_count OR o.due_at IS DISTINCT FROM n.due_at OR o.finished_at IS DISTINCT FROM n.finished_at OR o.last_error IS DISTINCT FROM n.last_error OR o.replay_id IS DISTINCT FROM n.replay_id OR o.attempts_before_replay IS DISTINCT FROM n.attempts_before_replay OR o.id IS DISTINCT FROM n.id OR o.event_id IS DISTINCT FROM n.event_id OR o.session_id IS DISTINCT FROM n.session_id OR o.team_id IS DISTINCT FROM n.team_id OR o.integration_id IS DISTINCT FROM n.integration_id OR o.webhook_id IS DISTINCT FROM n.webhook_id OR o.connection_id IS DISTINCT FROM n.connection_id OR o.operational_event_id IS DISTINCT FROM n.operational_event_id OR o.event_position IS DISTINCT FROM n.event_position OR o.input_revision IS DISTINCT FROM n.input_revision OR o.created_at IS DISTINCT FROM n.created_at;
  END IF;
  RETURN NULL;
END $$;
