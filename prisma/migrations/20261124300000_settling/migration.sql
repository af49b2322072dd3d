-- Sessions that wait for their modifiers. A row is there from the statement that wrote the session until its modifiers
-- have settled; workers claim it by lease.
CREATE TABLE "session_settlings" (
    "session_id" UUID NOT NULL,
    "event_type" TEXT,
    "connection_ids" UUID[] NOT NULL DEFAULT ARRAY[]::UUID[],
    "asked" UUID[] NOT NULL DEFAULT ARRAY[]::UUID[],
    "since" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "version" INTEGER NOT NULL DEFAULT 1,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "restarts" INTEGER NOT NULL DEFAULT 0,
    "due_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "lease_token" UUID,

    CONSTRAINT "session_settlings_pkey" PRIMARY KEY ("session_id")
);

-- CreateIndex
CREATE INDEX "session_settlings_due_at_idx" ON "session_settlings"("due_at");

-- AddForeignKey
ALTER TABLE "session_settlings" ADD CONSTRAINT "session_settlings_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- The table is a queue: rows live for milliseconds, so its dead rows are to go soon and its statistics say nothing.
ALTER TABLE "session_settlings" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
