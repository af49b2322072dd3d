-- What people see of a connector before they trust it, what was decided about it, and how its runs came about.
ALTER TABLE "connectors"
  ADD COLUMN "license" TEXT,
  ADD COLUMN "permissions" TEXT[] DEFAULT ARRAY[]::TEXT[],
  ADD COLUMN "kinds" TEXT[] DEFAULT ARRAY['consumer']::TEXT[],
  ADD COLUMN "locales" JSONB NOT NULL DEFAULT '{}',
  ADD COLUMN "logo" TEXT,
  ADD COLUMN "source" TEXT NOT NULL DEFAULT 'folder',
  ADD COLUMN "review_note" TEXT,
  ADD COLUMN "uninstalled_at" TIMESTAMPTZ(3);

UPDATE "connectors"
   SET "kinds" = coalesce((SELECT array_agg(kind) FROM jsonb_array_elements_text("manifest" -> 'kinds') AS kind), "kinds"),
       "permissions" = coalesce((
         SELECT array_agg(CASE WHEN jsonb_typeof(permission) = 'string' AND permission #>> '{}' = 'mail' THEN 'Sends mail'
                               WHEN jsonb_typeof(permission) = 'string' THEN 'Uses ' || (permission #>> '{}')
                               ELSE 'Calls ' || (permission ->> 'socket') END)
           FROM jsonb_array_elements("manifest" -> 'permissions') AS permission), "permissions");

-- An upgrade that widens permissions, until an admin agrees to it. No reference: the version may go, and then nothing waits.
ALTER TABLE "connections" ADD COLUMN "requested_connector_id" UUID;

ALTER TABLE "connector_runs"
  ADD COLUMN "connector" TEXT,
  ADD COLUMN "revision" INTEGER,
  ADD COLUMN "dry_run" BOOLEAN NOT NULL DEFAULT false;

-- A delivery that repeats a run is given the revision of the session that the run was given.
ALTER TABLE "deliveries" ADD COLUMN "input_revision" INTEGER;

-- What a gateway asks of a worker, because vendors' code and packages stay out of the gateway. Rows live for moments.
CREATE TABLE "connector_tasks" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "kind" TEXT NOT NULL,
    "sealed_argument" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "taken_until" TIMESTAMPTZ(3),
    "finished_at" TIMESTAMPTZ(3),
    "sealed_result" BYTEA,
    CONSTRAINT "connector_tasks_pkey" PRIMARY KEY ("id")
);

SELECT track_changes('connector_runs', 'id connection_id delivery_id session_id status dry_run');
