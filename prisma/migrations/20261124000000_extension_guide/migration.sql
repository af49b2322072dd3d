-- Producers, inbound webhooks, modifiers: what connections beyond consumers need.

-- A session that waits for its modifiers: kept, granted to them alone, announced to nobody yet.
ALTER TYPE "session_status" ADD VALUE 'settling';

-- CreateEnum
CREATE TYPE "raw_source_status" AS ENUM ('pending', 'received', 'converted', 'discarded', 'failed', 'missing', 'unmatched');

-- AlterTable
ALTER TABLE "connections"
ADD COLUMN     "flow_id" UUID,
ADD COLUMN     "schedule" TEXT,
ADD COLUMN     "time_zone" TEXT NOT NULL DEFAULT 'UTC',
ADD COLUMN     "run_order" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "next_run_at" TIMESTAMPTZ(3),
ADD COLUMN     "run_token" UUID,
ADD COLUMN     "run_until" TIMESTAMPTZ(3),
ADD COLUMN     "last_run_at" TIMESTAMPTZ(3),
ADD COLUMN     "last_run_status" "run_status",
ADD COLUMN     "last_run_message" TEXT;

-- AlterTable
ALTER TABLE "connector_runs"
ADD COLUMN     "method" TEXT NOT NULL DEFAULT 'consume',
ADD COLUMN     "raw_source_id" UUID;

-- CreateTable
CREATE TABLE "raw_sources" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "connection_id" UUID NOT NULL,
    "team_id" UUID NOT NULL,
    "session_id" UUID,
    "unique_id" TEXT,
    "session_key" TEXT,
    "origin" TEXT NOT NULL DEFAULT 'fetched',
    "status" "raw_source_status" NOT NULL DEFAULT 'received',
    "content" BYTEA,
    "size" INTEGER,
    "sha256" TEXT,
    "mime" TEXT,
    "description" TEXT,
    "participants" TEXT,
    "created_by_source_at" TEXT,
    "headers" JSONB,
    "message" TEXT,
    "attempt_count" INTEGER NOT NULL DEFAULT 0,
    "repeats" INTEGER NOT NULL DEFAULT 0,
    "is_late" BOOLEAN NOT NULL DEFAULT false,
    "due_at" TIMESTAMPTZ(3),
    "lease_token" UUID,
    "leased_until" TIMESTAMPTZ(3),
    "received_at" TIMESTAMPTZ(3),
    "converted_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "position" TEXT COLLATE "C" NOT NULL DEFAULT next_position(),

    CONSTRAINT "raw_sources_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "raw_sources_connection_id_unique_id_key" ON "raw_sources"("connection_id", "unique_id");
CREATE UNIQUE INDEX "raw_sources_position_key" ON "raw_sources"("position");
CREATE INDEX "raw_sources_connection_id_created_at_idx" ON "raw_sources"("connection_id", "created_at" DESC);
CREATE INDEX "raw_sources_connection_id_session_key_idx" ON "raw_sources"("connection_id", "session_key");
CREATE INDEX "raw_sources_session_id_idx" ON "raw_sources"("session_id");
CREATE INDEX "raw_sources_team_id_idx" ON "raw_sources"("team_id");
CREATE INDEX "raw_sources_status_due_at_idx" ON "raw_sources"("status", "due_at");
CREATE INDEX "connections_next_run_at_idx" ON "connections"("next_run_at");
CREATE INDEX "connections_flow_id_idx" ON "connections"("flow_id");
CREATE INDEX "connector_runs_raw_source_id_idx" ON "connector_runs"("raw_source_id");

-- AddForeignKey
ALTER TABLE "connections" ADD CONSTRAINT "connections_flow_id_fkey" FOREIGN KEY ("flow_id") REFERENCES "flows"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "raw_sources" ADD CONSTRAINT "raw_sources_connection_id_fkey" FOREIGN KEY ("connection_id") REFERENCES "connections"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "raw_sources" ADD CONSTRAINT "raw_sources_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "raw_sources" ADD CONSTRAINT "raw_sources_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "connector_runs" ADD CONSTRAINT "connector_runs_raw_source_id_fkey" FOREIGN KEY ("raw_source_id") REFERENCES "raw_sources"("id") ON DELETE SET NULL ON UPDATE CASCADE;

SELECT track_changes('raw_sources',    'id team_id connection_id session_id status'),
       track_changes('connector_runs', 'id connection_id delivery_id session_id raw_source_id status dry_run method');
