-- Keys are UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then
-- random bits. PostgreSQL 18 has uuidv7(); this one works from 14 on.
CREATE FUNCTION uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
  SELECT encode(
    set_bit(
      set_bit(
        overlay(uuid_send(gen_random_uuid())
          PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
          FROM 1 FOR 6),
        52, 1),
      53, 1),
    'hex')::uuid
$$;

-- A position orders rows by transaction, then by sequence, as fixed-width
-- text. Read only below pg_snapshot_xmin(pg_current_snapshot()) it never skips
-- a row of a transaction that commits late.
CREATE SEQUENCE position_sequence;
CREATE FUNCTION next_position() RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT lpad(to_hex(pg_current_xact_id()::text::bigint), 16, '0')
      || lpad(to_hex(nextval('position_sequence')), 16, '0')
$$;

-- Every position below it belongs to a transaction that has ended: what a
-- stream has read up to here is complete.
CREATE FUNCTION position_horizon() RETURNS text LANGUAGE sql STABLE AS $$
  SELECT lpad(to_hex(pg_snapshot_xmin(pg_current_snapshot())::text::bigint), 16, '0')
$$;

-- CreateEnum
CREATE TYPE "session_kind" AS ENUM ('application', 'booking');

-- CreateEnum
CREATE TYPE "session_status" AS ENUM ('submitted', 'invalid', 'purged');

-- CreateEnum
CREATE TYPE "integration_status" AS ENUM ('active', 'disabled');

-- CreateEnum
CREATE TYPE "credential_role" AS ENUM ('consumer', 'source');

-- CreateEnum
CREATE TYPE "member_role" AS ENUM ('admin', 'editor', 'viewer');

-- CreateEnum
CREATE TYPE "delivery_status" AS ENUM ('pending', 'leased', 'waiting', 'succeeded', 'exhausted', 'cancelled');

-- CreateEnum
CREATE TYPE "attempt_outcome" AS ENUM ('succeeded', 'failed');

-- CreateEnum
CREATE TYPE "webhook_state" AS ENUM ('active', 'failing', 'disabled');

-- CreateEnum
CREATE TYPE "file_status" AS ENUM ('pending', 'stored', 'quarantined', 'missing', 'purged');

-- CreateEnum
CREATE TYPE "connector_status" AS ENUM ('submitted', 'approved', 'rejected', 'withdrawn');

-- CreateEnum
CREATE TYPE "run_status" AS ENUM ('succeeded', 'failed');

-- CreateTable
CREATE TABLE "teams" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "slug" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "teams_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "users" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "email" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "password_hash" TEXT,
    "is_admin" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "disabled_at" TIMESTAMPTZ(3),

    CONSTRAINT "users_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "team_members" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "team_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "role" "member_role" NOT NULL DEFAULT 'viewer',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "team_members_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "flows" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "team_id" UUID NOT NULL,
    "slug" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "schema_url" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "flows_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "integrations" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "team_id" UUID NOT NULL,
    "slug" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "status" "integration_status" NOT NULL DEFAULT 'active',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "integrations_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "destinations" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "flow_id" UUID NOT NULL,
    "integration_id" UUID NOT NULL,
    "config" JSONB NOT NULL DEFAULT '{}',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "destinations_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_credentials" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "team_id" UUID,
    "integration_id" UUID,
    "role" "credential_role" NOT NULL,
    "environment" TEXT NOT NULL,
    "key_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_credentials_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_secrets" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "credential_id" UUID NOT NULL,
    "hash" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_secrets_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "sessions" (
    "id" UUID NOT NULL,
    "team_id" UUID NOT NULL,
    "flow_id" UUID NOT NULL,
    "kind" "session_kind" NOT NULL,
    "status" "session_status" NOT NULL DEFAULT 'submitted',
    "payment_id" TEXT,
    "config" JSONB NOT NULL DEFAULT '{}',
    "data" JSONB,
    "connector_data" JSONB,
    "schema_url" TEXT,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "content_hash" BYTEA NOT NULL,
    "trip_id" UUID,
    "submitted_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "purged_at" TIMESTAMPTZ(3),
    "position" TEXT COLLATE "C" NOT NULL DEFAULT next_position(),

    CONSTRAINT "sessions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "session_events" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "type" TEXT NOT NULL,
    "session_id" UUID NOT NULL,
    "team_id" UUID NOT NULL,
    "flow_id" UUID NOT NULL,
    "payment_id" TEXT,
    "config" JSONB NOT NULL DEFAULT '{}',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "position" TEXT COLLATE "C" NOT NULL DEFAULT next_position(),

    CONSTRAINT "session_events_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "session_grants" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "session_id" UUID NOT NULL,
    "integration_id" UUID NOT NULL,
    "team_id" UUID NOT NULL,
    "config" JSONB NOT NULL DEFAULT '{}',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "first_retrieved_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "session_grants_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "session_files" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "session_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "size" BIGINT,
    "sha256" TEXT,
    "status" "file_status" NOT NULL DEFAULT 'pending',
    "object_key" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "session_files_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "webhooks" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "integration_id" UUID NOT NULL,
    "team_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "config" JSONB NOT NULL DEFAULT '{}',
    "pattern" JSONB NOT NULL DEFAULT '{}',
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "state" "webhook_state" NOT NULL DEFAULT 'active',
    "state_reason" TEXT,
    "concurrency" INTEGER NOT NULL DEFAULT 8,
    "timeout_ms" INTEGER NOT NULL DEFAULT 20000,
    "consecutive_failures" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "webhooks_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "webhook_secrets" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "webhook_id" UUID NOT NULL,
    "sealed" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),

    CONSTRAINT "webhook_secrets_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "deliveries" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "event_id" UUID NOT NULL,
    "session_id" UUID NOT NULL,
    "team_id" UUID NOT NULL,
    "integration_id" UUID NOT NULL,
    "webhook_id" UUID,
    "connection_id" UUID,
    "status" "delivery_status" NOT NULL DEFAULT 'pending',
    "attempt_count" INTEGER NOT NULL DEFAULT 0,
    "due_at" TIMESTAMPTZ(3) DEFAULT CURRENT_TIMESTAMP,
    "lease_token" UUID,
    "last_error" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "deliveries_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "delivery_attempts" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "delivery_id" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "outcome" "attempt_outcome" NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "duration_ms" DOUBLE PRECISION NOT NULL,
    "status_code" INTEGER,
    "error_class" TEXT,
    "error_message" TEXT,
    "resolved_address" TEXT,
    "request" JSONB,
    "response" JSONB,
    "response_body" TEXT,
    "phases" JSONB,

    CONSTRAINT "delivery_attempts_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "connectors" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "implementation" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "author" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "status" "connector_status" NOT NULL DEFAULT 'submitted',
    "manifest" JSONB NOT NULL,
    "bundle" TEXT NOT NULL,
    "bundle_sha256" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "reviewed_at" TIMESTAMPTZ(3),

    CONSTRAINT "connectors_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "connections" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "integration_id" UUID NOT NULL,
    "team_id" UUID NOT NULL,
    "connector_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "settings" JSONB NOT NULL DEFAULT '{}',
    "sealed_settings" BYTEA,
    "state" JSONB NOT NULL DEFAULT '{}',
    "pattern" JSONB NOT NULL DEFAULT '{}',
    "config" JSONB NOT NULL DEFAULT '{}',
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "concurrency" INTEGER NOT NULL DEFAULT 1,
    "timeout_ms" INTEGER NOT NULL DEFAULT 60000,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "connections_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "connector_runs" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "connection_id" UUID NOT NULL,
    "delivery_id" UUID,
    "session_id" UUID,
    "attempt" INTEGER NOT NULL DEFAULT 1,
    "status" "run_status" NOT NULL,
    "message" TEXT,
    "log" JSONB NOT NULL DEFAULT '[]',
    "calls" JSONB NOT NULL DEFAULT '[]',
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "duration_ms" DOUBLE PRECISION NOT NULL,

    CONSTRAINT "connector_runs_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit_entries" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),
    "team_id" UUID,
    "integration_id" UUID,
    "actor_kind" TEXT NOT NULL,
    "actor_id" TEXT,
    "operation" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "session_ids" UUID[] DEFAULT ARRAY[]::UUID[],
    "address" TEXT,
    "request_id" TEXT,
    "detail" JSONB,

    CONSTRAINT "audit_entries_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "trips" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "team_id" UUID NOT NULL,
    "reference" TEXT NOT NULL,
    "title" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "trips_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "change_log" (
    "seq" BIGSERIAL NOT NULL,
    "xid" xid8 NOT NULL DEFAULT pg_current_xact_id(),
    "table_name" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "key" JSONB NOT NULL,
    "old" JSONB,
    "new" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT "change_log_pkey" PRIMARY KEY ("seq")
);

-- CreateTable
CREATE TABLE "signing_keys" (
    "kid" TEXT NOT NULL,
    "use" TEXT NOT NULL,
    "public_jwk" JSONB NOT NULL,
    "sealed" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "retired_at" TIMESTAMPTZ(3),

    CONSTRAINT "signing_keys_pkey" PRIMARY KEY ("kid")
);

-- CreateIndex
CREATE UNIQUE INDEX "teams_slug_key" ON "teams"("slug");

-- CreateIndex
CREATE UNIQUE INDEX "users_email_key" ON "users"("email");

-- CreateIndex
CREATE INDEX "team_members_user_id_idx" ON "team_members"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "team_members_team_id_user_id_key" ON "team_members"("team_id", "user_id");

-- CreateIndex
CREATE UNIQUE INDEX "flows_team_id_slug_key" ON "flows"("team_id", "slug");

-- CreateIndex
CREATE UNIQUE INDEX "integrations_team_id_slug_key" ON "integrations"("team_id", "slug");

-- CreateIndex
CREATE INDEX "destinations_integration_id_idx" ON "destinations"("integration_id");

-- CreateIndex
CREATE UNIQUE INDEX "destinations_flow_id_integration_id_key" ON "destinations"("flow_id", "integration_id");

-- CreateIndex
CREATE UNIQUE INDEX "api_credentials_key_id_key" ON "api_credentials"("key_id");

-- CreateIndex
CREATE INDEX "api_credentials_integration_id_idx" ON "api_credentials"("integration_id");

-- CreateIndex
CREATE INDEX "api_credentials_team_id_idx" ON "api_credentials"("team_id");

-- CreateIndex
CREATE INDEX "api_secrets_credential_id_idx" ON "api_secrets"("credential_id");

-- CreateIndex
CREATE INDEX "sessions_team_id_submitted_at_idx" ON "sessions"("team_id", "submitted_at" DESC);

-- CreateIndex
CREATE INDEX "sessions_flow_id_submitted_at_idx" ON "sessions"("flow_id", "submitted_at" DESC);

-- CreateIndex
CREATE INDEX "sessions_submitted_at_idx" ON "sessions"("submitted_at");

-- CreateIndex
CREATE INDEX "sessions_trip_id_idx" ON "sessions"("trip_id");

-- CreateIndex
CREATE UNIQUE INDEX "sessions_position_key" ON "sessions"("position");

-- CreateIndex
CREATE INDEX "session_events_session_id_idx" ON "session_events"("session_id");

-- CreateIndex
CREATE INDEX "session_events_team_id_idx" ON "session_events"("team_id");

-- CreateIndex
CREATE UNIQUE INDEX "session_events_position_key" ON "session_events"("position");

-- CreateIndex
CREATE INDEX "session_grants_integration_id_created_at_idx" ON "session_grants"("integration_id", "created_at" DESC);

-- CreateIndex
CREATE INDEX "session_grants_expires_at_idx" ON "session_grants"("expires_at");

-- CreateIndex
CREATE INDEX "session_grants_team_id_idx" ON "session_grants"("team_id");

-- CreateIndex
CREATE UNIQUE INDEX "session_grants_session_id_integration_id_key" ON "session_grants"("session_id", "integration_id");

-- CreateIndex
CREATE UNIQUE INDEX "session_files_object_key_key" ON "session_files"("object_key");

-- CreateIndex
CREATE UNIQUE INDEX "session_files_session_id_name_key" ON "session_files"("session_id", "name");

-- CreateIndex
CREATE INDEX "webhooks_integration_id_idx" ON "webhooks"("integration_id");

-- CreateIndex
CREATE INDEX "webhooks_team_id_idx" ON "webhooks"("team_id");

-- CreateIndex
CREATE INDEX "webhook_secrets_webhook_id_idx" ON "webhook_secrets"("webhook_id");

-- CreateIndex
CREATE INDEX "deliveries_session_id_idx" ON "deliveries"("session_id");

-- CreateIndex
CREATE INDEX "deliveries_event_id_idx" ON "deliveries"("event_id");

-- CreateIndex
CREATE INDEX "deliveries_webhook_id_created_at_idx" ON "deliveries"("webhook_id", "created_at" DESC);

-- CreateIndex
CREATE INDEX "deliveries_connection_id_created_at_idx" ON "deliveries"("connection_id", "created_at" DESC);

-- CreateIndex
CREATE INDEX "deliveries_integration_id_idx" ON "deliveries"("integration_id");

-- CreateIndex
CREATE INDEX "deliveries_team_id_created_at_idx" ON "deliveries"("team_id", "created_at" DESC);

-- CreateIndex
CREATE INDEX "deliveries_due_at_idx" ON "deliveries"("due_at");

-- CreateIndex
CREATE UNIQUE INDEX "delivery_attempts_delivery_id_number_key" ON "delivery_attempts"("delivery_id", "number");

-- CreateIndex
CREATE UNIQUE INDEX "connectors_implementation_version_key" ON "connectors"("implementation", "version");

-- CreateIndex
CREATE INDEX "connections_integration_id_idx" ON "connections"("integration_id");

-- CreateIndex
CREATE INDEX "connections_team_id_idx" ON "connections"("team_id");

-- CreateIndex
CREATE INDEX "connections_connector_id_idx" ON "connections"("connector_id");

-- CreateIndex
CREATE INDEX "connector_runs_connection_id_started_at_idx" ON "connector_runs"("connection_id", "started_at" DESC);

-- CreateIndex
CREATE INDEX "connector_runs_delivery_id_idx" ON "connector_runs"("delivery_id");

-- CreateIndex
CREATE INDEX "connector_runs_session_id_idx" ON "connector_runs"("session_id");

-- CreateIndex
CREATE INDEX "audit_entries_team_id_at_idx" ON "audit_entries"("team_id", "at" DESC);

-- CreateIndex
CREATE INDEX "audit_entries_session_ids_idx" ON "audit_entries" USING GIN ("session_ids");

-- CreateIndex
CREATE UNIQUE INDEX "trips_team_id_reference_key" ON "trips"("team_id", "reference");

-- CreateIndex
CREATE INDEX "change_log_xid_seq_idx" ON "change_log"("xid", "seq");

-- AddForeignKey
ALTER TABLE "team_members" ADD CONSTRAINT "team_members_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "team_members" ADD CONSTRAINT "team_members_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "flows" ADD CONSTRAINT "flows_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "integrations" ADD CONSTRAINT "integrations_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "destinations" ADD CONSTRAINT "destinations_flow_id_fkey" FOREIGN KEY ("flow_id") REFERENCES "flows"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "destinations" ADD CONSTRAINT "destinations_integration_id_fkey" FOREIGN KEY ("integration_id") REFERENCES "integrations"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_credentials" ADD CONSTRAINT "api_credentials_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_credentials" ADD CONSTRAINT "api_credentials_integration_id_fkey" FOREIGN KEY ("integration_id") REFERENCES "integrations"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_secrets" ADD CONSTRAINT "api_secrets_credential_id_fkey" FOREIGN KEY ("credential_id") REFERENCES "api_credentials"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_flow_id_fkey" FOREIGN KEY ("flow_id") REFERENCES "flows"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_trip_id_fkey" FOREIGN KEY ("trip_id") REFERENCES "trips"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session_events" ADD CONSTRAINT "session_events_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session_events" ADD CONSTRAINT "session_events_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session_events" ADD CONSTRAINT "session_events_flow_id_fkey" FOREIGN KEY ("flow_id") REFERENCES "flows"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session_grants" ADD CONSTRAINT "session_grants_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session_grants" ADD CONSTRAINT "session_grants_integration_id_fkey" FOREIGN KEY ("integration_id") REFERENCES "integrations"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session_grants" ADD CONSTRAINT "session_grants_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session_files" ADD CONSTRAINT "session_files_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "webhooks" ADD CONSTRAINT "webhooks_integration_id_fkey" FOREIGN KEY ("integration_id") REFERENCES "integrations"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "webhooks" ADD CONSTRAINT "webhooks_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "webhook_secrets" ADD CONSTRAINT "webhook_secrets_webhook_id_fkey" FOREIGN KEY ("webhook_id") REFERENCES "webhooks"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_event_id_fkey" FOREIGN KEY ("event_id") REFERENCES "session_events"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_integration_id_fkey" FOREIGN KEY ("integration_id") REFERENCES "integrations"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_webhook_id_fkey" FOREIGN KEY ("webhook_id") REFERENCES "webhooks"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_connection_id_fkey" FOREIGN KEY ("connection_id") REFERENCES "connections"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "delivery_attempts" ADD CONSTRAINT "delivery_attempts_delivery_id_fkey" FOREIGN KEY ("delivery_id") REFERENCES "deliveries"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "connections" ADD CONSTRAINT "connections_integration_id_fkey" FOREIGN KEY ("integration_id") REFERENCES "integrations"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "connections" ADD CONSTRAINT "connections_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "connections" ADD CONSTRAINT "connections_connector_id_fkey" FOREIGN KEY ("connector_id") REFERENCES "connectors"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "connector_runs" ADD CONSTRAINT "connector_runs_connection_id_fkey" FOREIGN KEY ("connection_id") REFERENCES "connections"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "connector_runs" ADD CONSTRAINT "connector_runs_delivery_id_fkey" FOREIGN KEY ("delivery_id") REFERENCES "deliveries"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "connector_runs" ADD CONSTRAINT "connector_runs_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "audit_entries" ADD CONSTRAINT "audit_entries_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "trips" ADD CONSTRAINT "trips_team_id_fkey" FOREIGN KEY ("team_id") REFERENCES "teams"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What changed, for live queries: one row a changed row, with the columns that
-- predicates route by; never `data`, never a secret. Statement-level triggers
-- with transition tables, one function a table, so that a bulk write costs one
-- insert and no row is converted to JSON whole.
DO $do$
DECLARE
  tracked record;
  image text;
  list text;
BEGIN
  FOR tracked IN
    SELECT * FROM (VALUES
      ('teams',             'id slug name'),
      ('team_members',      'id team_id user_id role'),
      ('users',             'id is_admin disabled_at'),
      ('flows',             'id team_id slug name schema_url'),
      ('integrations',      'id team_id slug name status'),
      ('destinations',      'id flow_id integration_id'),
      ('api_credentials',   'id team_id integration_id role key_id expires_at revoked_at'),
      ('sessions',          'id team_id flow_id kind status payment_id revision trip_id submitted_at expires_at purged_at position'),
      ('session_events',    'id type session_id team_id flow_id position'),
      ('session_grants',    'id session_id integration_id team_id expires_at first_retrieved_at revoked_at'),
      ('session_files',     'id session_id name status'),
      ('webhooks',          'id integration_id team_id name enabled state updated_at'),
      ('deliveries',        'id event_id session_id team_id integration_id webhook_id connection_id status attempt_count'),
      ('delivery_attempts', 'id delivery_id number outcome'),
      ('connectors',        'id implementation version status'),
      ('connections',       'id integration_id team_id connector_id enabled updated_at'),
      ('connector_runs',    'id connection_id delivery_id session_id status'),
      ('audit_entries',     'id team_id integration_id operation outcome'),
      ('trips',             'id team_id reference')
    ) AS t(name, columns)
  LOOP
    SELECT string_agg(format('%L, r.%I', c, c), ', ') INTO image
      FROM unnest(string_to_array(tracked.columns, ' ')) AS c;
    SELECT string_agg(format('o.%I IS DISTINCT FROM n.%I', a.attname, a.attname), ' OR ' ORDER BY a.attnum) INTO list
      FROM pg_attribute a
     WHERE a.attrelid = tracked.name::regclass AND a.attnum > 0 AND NOT a.attisdropped;

    EXECUTE format($f$
      CREATE FUNCTION log_%1$s() RETURNS trigger LANGUAGE plpgsql AS $t$
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
      CREATE TRIGGER log_insert AFTER INSERT ON %1$I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION log_%1$s();
      CREATE TRIGGER log_delete AFTER DELETE ON %1$I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION log_%1$s();
      CREATE TRIGGER log_update AFTER UPDATE ON %1$I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION log_%1$s();
    $f$, tracked.name, image, list);
  END LOOP;
END $do$;

-- An audit entry is written once. Only its team may be cleared, when that team is deleted.
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.team_id IS NULL AND to_jsonb(NEW) - 'team_id' = to_jsonb(OLD) - 'team_id' THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'audit_entries is append-only';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_entries FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();

-- A delivery is bound for one target.
ALTER TABLE deliveries ADD CONSTRAINT deliveries_one_target CHECK (num_nonnulls(webhook_id, connection_id) = 1);
