-- CreateEnum
CREATE TYPE "replay_status" AS ENUM ('running', 'finished', 'cancelled');

-- CreateEnum
CREATE TYPE "upload_status" AS ENUM ('pending', 'stored', 'quarantined', 'used');

-- AlterEnum
ALTER TYPE "webhook_state" ADD VALUE 'probing';

-- AlterTable
ALTER TABLE "api_credentials" ADD COLUMN     "allowed_addresses" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "created_by" UUID,
ADD COLUMN     "jwks" JSONB;

-- AlterTable
ALTER TABLE "audit_entries" ADD COLUMN     "position" TEXT COLLATE "C" NOT NULL DEFAULT next_position(),
ADD COLUMN     "role" TEXT;

-- AlterTable
ALTER TABLE "connections" ADD COLUMN     "consecutive_failures" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "disabled_at" TIMESTAMPTZ(3),
ADD COLUMN     "events" TEXT[] DEFAULT ARRAY['session.submitted']::TEXT[],
ADD COLUMN     "failing_since" TIMESTAMPTZ(3),
ADD COLUMN     "health" "webhook_state" NOT NULL DEFAULT 'active',
ADD COLUMN     "ordered" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "probe_at" TIMESTAMPTZ(3),
ADD COLUMN     "rate_per_second" DOUBLE PRECISION,
ADD COLUMN     "state_reason" TEXT,
ALTER COLUMN "team_id" DROP NOT NULL;

-- AlterTable
ALTER TABLE "deliveries" ADD COLUMN     "event_position" TEXT COLLATE "C",
ADD COLUMN     "operational_event_id" UUID,
ADD COLUMN     "replay_id" UUID,
ALTER COLUMN "event_id" DROP NOT NULL,
ALTER COLUMN "session_id" DROP NOT NULL,
ALTER COLUMN "team_id" DROP NOT NULL;

-- AlterTable
ALTER TABLE "delivery_attempts" ADD COLUMN     "tls" JSONB;

-- AlterTable
ALTER TABLE "integrations" ADD COLUMN     "description" TEXT,
ALTER COLUMN "team_id" DROP NOT NULL;

-- AlterTable
ALTER TABLE "session_events" ADD COLUMN     "revision" INTEGER NOT NULL DEFAULT 1;

-- AlterTable
ALTER TABLE "session_files" ADD COLUMN     "purged_at" TIMESTAMPTZ(3),
ADD COLUMN     "reason" TEXT,
ADD COLUMN     "stored_at" TIMESTAMPTZ(3),
ADD COLUMN     "upload_expires_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "sessions" ADD COLUMN     "author_id" TEXT,
ADD COLUMN     "author_kind" TEXT,
ADD COLUMN     "expiring_announced_at" TIMESTAMPTZ(3),
ADD COLUMN     "problems" JSONB,
ADD COLUMN     "revised_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "teams" ADD COLUMN     "notification_email" TEXT,
ADD COLUMN     "retention_after_retrieval_days" DOUBLE PRECISION,
ADD COLUMN     "retention_days" DOUBLE PRECISION;

-- AlterTable
ALTER TABLE "users" ADD COLUMN     "oidc_issuer" TEXT,
ADD COLUMN     "oidc_subject" TEXT,
ADD COLUMN     "tokens_valid_from" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "webhooks" ADD COLUMN     "disabled_at" TIMESTAMPTZ(3),
ADD COLUMN     "events" TEXT[] DEFAULT ARRAY['session.submitted']::TEXT[],
ADD COLUMN     "failing_since" TIMESTAMPTZ(3),
ADD COLUMN     "headers" JSONB NOT NULL DEFAULT '{}',
ADD COLUMN     "ordered" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "probe_at" TIMESTAMPTZ(3),
ADD COLUMN     "rate_per_second" DOUBLE PRECISION,
ADD COLUMN     "sealed_headers" BYTEA,
ADD COLUMN     "signatures" TEXT[] DEFAULT ARRAY['v1']::TEXT[],
ALTER COLUMN "team_id" DROP NOT NULL;

-- CreateTable
CREATE TABLE "sign_ins" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "user_id" UUID NOT NULL,
    "refresh_hash" BYTEA NOT NULL,
    "previous_refresh_hash" BYTEA,
    "address" TEXT,
    "user_agent" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_used_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "sign_ins_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "invitations" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "team_id" UUID NOT NULL,
    "email" TEXT NOT NULL,
    "role" "member_role" NOT NULL,
    "token_hash" BYTEA NOT NULL,
    "invited_by" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "accepted_at" TIMESTAMPTZ(3),

    CONSTRAINT "invitations_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "password_resets" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "user_id" UUID NOT NULL,
    "token_hash" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "password_resets_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "payload_schemas" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "team_id" UUID,
    "url" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "document" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "payload_schemas_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "revoked_tokens" (
    "id" UUID NOT NULL,
    "revoked_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "revoked_tokens_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "rate_limits" (
    "key" TEXT NOT NULL,
    "points" INTEGER NOT NULL DEFAULT 0,
    "expire" BIGINT,

    CONSTRAINT "rate_limits_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "session_revisions" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "session_id" UUID NOT NULL,
    "revision" INTEGER NOT NULL,
    "payment_id" TEXT,
    "config" JSONB NOT NULL DEFAULT '{}',
    "data" JSONB,
    "schema_url" TEXT,
    "content_hash" BYTEA NOT NULL,
    "author_kind" TEXT NOT NULL,
    "author_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "session_revisions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "file_uploads" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "team_id" UUID NOT NULL,
    "flow_id" UUID NOT NULL,
    "session_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "size" BIGINT,
    "sha256" TEXT,
    "status" "upload_status" NOT NULL DEFAULT 'pending',
    "reason" TEXT,
    "object_key" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "file_uploads_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "operational_events" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "type" TEXT NOT NULL,
    "team_id" UUID,
    "webhook_id" UUID,
    "connection_id" UUID,
    "detail" JSONB NOT NULL DEFAULT '{}',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "mailed_at" TIMESTAMPTZ(3),
    "position" TEXT COLLATE "C" NOT NULL DEFAULT next_position(),

    CONSTRAINT "operational_events_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "replays" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "team_id" UUID,
    "webhook_id" UUID,
    "connection_id" UUID,
    "filter" JSONB NOT NULL DEFAULT '{}',
    "status" "replay_status" NOT NULL DEFAULT 'running',
    "rate_per_second" DOUBLE PRECISION NOT NULL DEFAULT 10,
    "total" INTEGER NOT NULL,
    "released" INTEGER NOT NULL DEFAULT 0,
    "created_by" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "replays_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit_blocks" (
    "number" INTEGER NOT NULL,
    "first_position" TEXT COLLATE "C" NOT NULL,
    "last_position" TEXT COLLATE "C" NOT NULL,
    "entries" INTEGER NOT NULL,
    "hash" BYTEA NOT NULL,
    "kid" TEXT NOT NULL,
    "signature" BYTEA NOT NULL,
    "sealed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "audit_blocks_pkey" PRIMARY KEY ("number")
);

-- CreateIndex
CREATE UNIQUE INDEX "sign_ins_refresh_hash_key" ON "sign_ins"("refresh_hash");

-- CreateIndex
CREATE UNIQUE INDEX "sign_ins_previous_refresh_hash_key" ON "sign_ins"("previous_refresh_hash");

-- CreateIndex
CREATE INDEX "sign_ins_user_id_idx" ON "sign_ins"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "invitations_token_hash_key" ON "invitations"("token_hash");

-- CreateIndex
CREATE INDEX "invitations_team_id_idx" ON "invitations"("team_id");

-- CreateIndex
CREATE UNIQUE INDEX "password_resets_token_hash_key" ON "password_resets"("token_hash");

-- CreateIndex
CREATE INDEX "password_resets_user_id_idx" ON "password_resets"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "payload_schemas_url_key" ON "payload_schemas"("url");

-- CreateIndex
CREATE INDEX "payload_schemas_team_id_idx" ON "payload_schemas"("team_id");

-- CreateIndex
CREATE INDEX "revoked_tokens_expires_at_idx" ON "revoked_tokens"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "session_revisions_session_id_revision_key" ON "session_revisions"("session_id", "revision");

-- CreateIndex
CREATE UNIQUE INDEX "file_uploads_object_key_key" ON "file_uploads"("object_key");

-- CreateIndex
CREATE INDEX "file_uploads_expires_at_idx" ON "file_uploads"("expires_at");

-- CreateIndex
CREATE INDEX "file_uploads_team_id_idx" ON "file_uploads"("team_id");

-- CreateIndex
CREATE INDEX "file_uploads_flow_id_idx" ON "file_uploads"("flow_id");

-- CreateIndex
CREATE UNIQUE INDEX "file_uploads_session_id_name_key" ON "file_uploads"("session_id", "name");

-- CreateIndex
CREATE INDEX "operational_events_team_id_created_at_idx" ON "operational_events"("team_id", "created_at" DESC);

-- CreateIndex
CREATE INDEX "operational_events_webhook_id_idx" ON "operational_events"("webhook_id");

-- CreateIndex
CREATE INDEX "operational_events_connection_id_idx" ON "operational_events"("connection_id");

-- CreateIndex
CREATE UNIQUE INDEX "operational_events_position_key" ON "operational_events"("position");

-- CreateIndex
CREATE INDEX "replays_team_id_idx" ON "replays"("team_id");

-- CreateIndex
CREATE INDEX "replays_webhook_id_idx" ON "replays"("webhook_id");

-- CreateIndex
CREATE INDEX "replays_connection_id_idx" ON "replays"("connection_id");

-- CreateIndex
CREATE UNIQUE INDEX "audit_entries_position_key" ON "audit_entries"("position");

-- CreateIndex
CREATE INDEX "deliveries_operational_event_id_idx" ON "deliveries"("operational_event_id");

-- CreateIndex
CREATE INDEX "deliveries_replay_id_idx" ON "deliveries"("replay_id");

-- CreateIndex
CREATE INDEX "session_files_upload_expires_at_idx" ON "session_files"("upload_expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "users_oidc_issuer_oidc_subject_key" ON "users"("oidc_issuer", "oidc_subject");

-- AddForeignKey
ALTER TABLE "sign_ins" ADD CONSTRAINT "sign_ins_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "password_resets" ADD CONSTRAINT "password_resets_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "payload_schemas" ADD CONSTRAINT "payload_schemas_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session_revisions" ADD CONSTRAINT "session_revisions_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "file_uploads" ADD CONSTRAINT "file_uploads_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "file_uploads" ADD CONSTRAINT "file_uploads_flow_id_fkey" FOREIGN KEY ("flow_id") REFERENCES "flows"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_operational_event_id_fkey" FOREIGN KEY ("operational_event_id") REFERENCES "operational_events"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_replay_id_fkey" FOREIGN KEY ("replay_id") REFERENCES "replays"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "operational_events" ADD CONSTRAINT "operational_events_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "operational_events" ADD CONSTRAINT "operational_events_webhook_id_fkey" FOREIGN KEY ("webhook_id") REFERENCES "webhooks"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "operational_events" ADD CONSTRAINT "operational_events_connection_id_fkey" FOREIGN KEY ("connection_id") REFERENCES "connections"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "replays" ADD CONSTRAINT "replays_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "replays" ADD CONSTRAINT "replays_webhook_id_fkey" FOREIGN KEY ("webhook_id") REFERENCES "webhooks"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "replays" ADD CONSTRAINT "replays_connection_id_fkey" FOREIGN KEY ("connection_id") REFERENCES "connections"("id") ON DELETE CASCADE ON UPDATE CASCADE;

UPDATE deliveries d SET event_position = e.position FROM session_events e WHERE e.id = d.event_id;

-- A delivery tells of one thing.
ALTER TABLE deliveries ADD CONSTRAINT deliveries_one_event CHECK (num_nonnulls(event_id, operational_event_id) = 1);
ALTER TABLE deliveries ADD CONSTRAINT deliveries_of_session CHECK ((event_id IS NULL) = (session_id IS NULL));
ALTER TABLE operational_events ADD CONSTRAINT operational_events_one_target CHECK (num_nonnulls(webhook_id, connection_id) <= 1);
ALTER TABLE replays ADD CONSTRAINT replays_one_target CHECK (num_nonnulls(webhook_id, connection_id) = 1);

-- Writes what changes in `table_name` to change_log: the same triggers as the first
-- migration makes, for a table that is new or has new routing columns. An update
-- counts when any column differs, so this is called again after columns are added.
CREATE FUNCTION track_changes(table_name text, columns text) RETURNS void LANGUAGE plpgsql AS $do$
DECLARE
  image text;
  list text;
BEGIN
  SELECT string_agg(format('%L, r.%I', c, c), ', ') INTO image
    FROM unnest(string_to_array(columns, ' ')) AS c;
  SELECT string_agg(format('o.%I IS DISTINCT FROM n.%I', a.attname, a.attname), ' OR ' ORDER BY a.attnum) INTO list
    FROM pg_attribute a
   WHERE a.attrelid = track_changes.table_name::regclass AND a.attnum > 0 AND NOT a.attisdropped;

  EXECUTE format($f$
    CREATE OR REPLACE FUNCTION log_%1$s() RETURNS trigger LANGUAGE plpgsql AS $t$
    BEGIN
      IF TG_OP = 'INSERT' THEN
        INSERT INTO change_log (table_name, operation, key, new)
        SELECT %1$L, 'insert', jsonb_build_object('id', r.id), jsonb_build_object(%2$s) FROM new_rows r;
      ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO change_log (table_name, operation, key, old)
        SELECT %1$L, 'delete', jsonb_build_object('id', r.id), jsonb_build_object(%2$s) FROM old_rows r;
      ELSE
        INSERT INTO change_log (table_name, operation, key, old, new)
        SELECT %1$L, 'update', jsonb_build_object('id', n.id),
               (SELECT jsonb_build_object(%2$s) FROM (SELECT o.*) r),
               (SELECT jsonb_build_object(%2$s) FROM (SELECT n.*) r)
          FROM old_rows o JOIN new_rows n USING (id)
         WHERE %3$s;
      END IF;
      RETURN NULL;
    END $t$;
    CREATE OR REPLACE TRIGGER log_insert AFTER INSERT ON %1$I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION log_%1$s();
    CREATE OR REPLACE TRIGGER log_delete AFTER DELETE ON %1$I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION log_%1$s();
    CREATE OR REPLACE TRIGGER log_update AFTER UPDATE ON %1$I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION log_%1$s();
  $f$, table_name, image, list);
END $do$;

SELECT track_changes('teams',              'id slug name'),
       track_changes('users',              'id is_admin disabled_at tokens_valid_from'),
       track_changes('integrations',       'id team_id slug name status'),
       track_changes('api_credentials',    'id team_id integration_id role key_id expires_at revoked_at'),
       track_changes('api_secrets',        'id credential_id expires_at'),
       track_changes('revoked_tokens',     'id expires_at'),
       track_changes('sign_ins',           'id user_id expires_at ended_at'),
       track_changes('invitations',        'id team_id role expires_at accepted_at'),
       track_changes('payload_schemas',    'id team_id url'),
       track_changes('sessions',           'id team_id flow_id kind status payment_id revision trip_id submitted_at expires_at purged_at position'),
       track_changes('session_events',     'id type session_id team_id flow_id position'),
       track_changes('session_revisions',  'id session_id revision'),
       track_changes('session_files',      'id session_id name status'),
       track_changes('file_uploads',       'id team_id flow_id session_id status'),
       track_changes('webhooks',           'id integration_id team_id name enabled state updated_at'),
       track_changes('connections',        'id integration_id team_id connector_id enabled health updated_at'),
       track_changes('deliveries',         'id event_id operational_event_id session_id team_id integration_id webhook_id connection_id replay_id status attempt_count'),
       track_changes('delivery_attempts',  'id delivery_id number outcome'),
       track_changes('operational_events', 'id type team_id webhook_id connection_id position'),
       track_changes('replays',            'id team_id webhook_id connection_id status'),
       track_changes('audit_entries',      'id team_id integration_id operation outcome');
