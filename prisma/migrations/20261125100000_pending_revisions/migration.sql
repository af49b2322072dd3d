-- Updates that wait for their modifiers. Until those have settled, `sessions` keeps the revision that readers have; what
-- the session will be lies here, and goes with the row of `session_settlings`.
CREATE TABLE "pending_revisions" (
    "session_id" UUID NOT NULL,
    "revision" INTEGER NOT NULL,
    "payment_id" TEXT,
    "config" JSONB NOT NULL DEFAULT '{}',
    "data" JSONB NOT NULL,
    "schema_url" TEXT,
    "content_hash" BYTEA NOT NULL,
    "author_kind" TEXT NOT NULL,
    "author_id" TEXT,
    "extension" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "pending_revisions_pkey" PRIMARY KEY ("session_id", "revision")
);

-- AddForeignKey
ALTER TABLE "pending_revisions" ADD CONSTRAINT "pending_revisions_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "session_settlings"("session_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- A queue, as session_settlings is.
ALTER TABLE "pending_revisions" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
