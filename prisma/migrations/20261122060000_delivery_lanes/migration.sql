-- Claiming a delivery no longer writes its row. What a claim needs to remember is
-- in two narrow tables: a lane for each target, a lease for each delivery in hand.

-- AlterTable
ALTER TABLE "deliveries" DROP COLUMN "lease_token";

-- One row a webhook or connection: whoever claims from it locks it.
-- CreateTable
CREATE TABLE "delivery_lanes" (
    "target_id" UUID NOT NULL,
    "version" BIGINT NOT NULL DEFAULT 0,
    "next_slot_at" TIMESTAMPTZ(6),
    "paused_until" TIMESTAMPTZ(3),

    CONSTRAINT "delivery_lanes_pkey" PRIMARY KEY ("target_id")
) WITH (fillfactor = 40);

-- Unlogged: after a crash of the server no worker has a connection left, and a
-- lease that is gone costs a delivery made twice, under the same id.
-- CreateTable
CREATE UNLOGGED TABLE "delivery_leases" (
    "delivery_id" UUID NOT NULL,
    "target_id" UUID NOT NULL,
    "worker_id" UUID NOT NULL,
    "token" UUID NOT NULL,
    "attempt" INTEGER NOT NULL,
    "leased_until" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "delivery_leases_pkey" PRIMARY KEY ("delivery_id")
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- CreateIndex
CREATE INDEX "delivery_leases_target_id_idx" ON "delivery_leases"("target_id");

-- DropIndex
DROP INDEX "deliveries_due_at_idx";

-- Indexes of columns that are mostly null hold only rows that have them.
-- DropIndex
DROP INDEX "deliveries_webhook_id_created_at_idx";
-- DropIndex
DROP INDEX "deliveries_connection_id_created_at_idx";
-- DropIndex
DROP INDEX "deliveries_operational_event_id_idx";
-- DropIndex
DROP INDEX "deliveries_replay_id_idx";
CREATE INDEX "deliveries_webhook_id_created_at_idx" ON "deliveries"("webhook_id", "created_at" DESC) WHERE webhook_id IS NOT NULL;
CREATE INDEX "deliveries_connection_id_created_at_idx" ON "deliveries"("connection_id", "created_at" DESC) WHERE connection_id IS NOT NULL;
CREATE INDEX "deliveries_operational_event_id_idx" ON "deliveries"("operational_event_id") WHERE operational_event_id IS NOT NULL;
CREATE INDEX "deliveries_replay_id_idx" ON "deliveries"("replay_id") WHERE replay_id IS NOT NULL;

-- The queue: what is not final, a lane after the other. By time for most lanes,
-- by position for those that keep strict order.
CREATE INDEX deliveries_lane_due_idx ON deliveries (coalesce(webhook_id, connection_id), due_at)
 WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_lane_order_idx ON deliveries (coalesce(webhook_id, connection_id), event_position, id)
 WHERE due_at IS NOT NULL;

-- Settled rows leave the queue at once; what is left of them in its indexes should go soon.
ALTER TABLE deliveries SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

INSERT INTO delivery_lanes (target_id) SELECT id FROM webhooks UNION ALL SELECT id FROM connections;

CREATE FUNCTION open_delivery_lane() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO delivery_lanes (target_id) VALUES (NEW.id) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE FUNCTION close_delivery_lane() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM delivery_lanes WHERE target_id = OLD.id;
  RETURN NULL;
END $$;

CREATE TRIGGER open_delivery_lane AFTER INSERT ON webhooks FOR EACH ROW EXECUTE FUNCTION open_delivery_lane();
CREATE TRIGGER open_delivery_lane AFTER INSERT ON connections FOR EACH ROW EXECUTE FUNCTION open_delivery_lane();
CREATE TRIGGER close_delivery_lane AFTER DELETE ON webhooks FOR EACH ROW EXECUTE FUNCTION close_delivery_lane();
CREATE TRIGGER close_delivery_lane AFTER DELETE ON connections FOR EACH ROW EXECUTE FUNCTION close_delivery_lane();

-- The list of columns that count as a change has one less.
SELECT track_changes('deliveries', 'id event_id operational_event_id session_id team_id integration_id webhook_id connection_id replay_id status attempt_count');

-- What was leased under the old way is due again.
UPDATE deliveries SET status = 'waiting', due_at = now() WHERE status = 'leased';
