-- Replays keep what is still to be released as rows: what was counted at the start is
-- exactly what is taken out again, one by one, by whichever worker.

-- AlterTable
ALTER TABLE "replays" ADD COLUMN "missed" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN "next_release_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
ADD COLUMN "range_from" TIMESTAMPTZ(3),
ADD COLUMN "range_to" TIMESTAMPTZ(3),
ADD COLUMN "skipped" INTEGER NOT NULL DEFAULT 0;

-- CreateTable
CREATE TABLE "replay_items" (
    "replay_id" UUID NOT NULL,
    "ordinal" INTEGER NOT NULL,
    "delivery_id" UUID,
    "event_id" UUID,

    CONSTRAINT "replay_items_pkey" PRIMARY KEY ("replay_id", "ordinal"),
    CONSTRAINT "replay_items_one" CHECK (num_nonnulls(delivery_id, event_id) = 1)
);

-- AddForeignKey
ALTER TABLE "replay_items" ADD CONSTRAINT "replay_items_replay_id_fkey" FOREIGN KEY ("replay_id") REFERENCES "replays"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What a worker looks at.
CREATE INDEX "replays_next_release_at_idx" ON "replays"("next_release_at") WHERE status = 'running';

-- Two that look for missed events of one target would both find the same ones.
CREATE UNIQUE INDEX replays_one_backfill_idx ON replays (coalesce(webhook_id, connection_id)) WHERE status = 'running' AND missed;

-- A delivery that is sent again follows the schedule of retries from its start.
-- AlterTable
ALTER TABLE "deliveries" ADD COLUMN "attempts_before_replay" INTEGER NOT NULL DEFAULT 0;

-- AlterTable
ALTER TABLE "operational_events" ADD COLUMN "announced_at" TIMESTAMPTZ(3);

-- What was there before is not news.
UPDATE operational_events SET announced_at = created_at, mailed_at = coalesce(mailed_at, created_at);

-- What is still to be told, and when a team was last written to.
CREATE INDEX "operational_events_announced_at_idx" ON "operational_events"("announced_at") WHERE announced_at IS NULL;
CREATE INDEX "operational_events_mailed_at_idx" ON "operational_events"("mailed_at") WHERE mailed_at IS NULL;
CREATE INDEX "operational_events_team_id_mailed_at_idx" ON "operational_events"("team_id", "mailed_at");

-- The columns that count as a change have grown; the slot of the next release is none of them.
SELECT track_changes('replays', 'id team_id webhook_id connection_id status');
