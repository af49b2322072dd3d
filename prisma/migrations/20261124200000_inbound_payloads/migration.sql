-- Payloads that third parties send, and the secrets by which they are known.

-- AlterTable
ALTER TABLE "connections"
ADD COLUMN     "pending_hours" INTEGER NOT NULL DEFAULT 168,
ADD COLUMN     "inbound_secret_set_at" TIMESTAMPTZ(3),
ADD CONSTRAINT "connections_pending_hours_check" CHECK ("pending_hours" BETWEEN 1 AND 8760);

-- AlterTable
ALTER TABLE "raw_sources"
ADD COLUMN     "external_id" TEXT,
ADD COLUMN     "message_id" TEXT,
ADD COLUMN     "is_refused" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "is_accepted" BOOLEAN NOT NULL DEFAULT false;

-- CreateTable
CREATE TABLE "inbound_secrets" (
    "id" UUID NOT NULL DEFAULT uuid_v7(),
    "connection_id" UUID NOT NULL,
    "sealed" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),

    CONSTRAINT "inbound_secrets_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "inbound_secrets_connection_id_idx" ON "inbound_secrets"("connection_id");
CREATE UNIQUE INDEX "raw_sources_connection_id_message_id_key" ON "raw_sources"("connection_id", "message_id");
CREATE INDEX "raw_sources_connection_id_external_id_idx" ON "raw_sources"("connection_id", "external_id");
CREATE INDEX "raw_sources_connection_id_sha256_idx" ON "raw_sources"("connection_id", "sha256");

-- AddForeignKey
ALTER TABLE "inbound_secrets" ADD CONSTRAINT "inbound_secrets_connection_id_fkey" FOREIGN KEY ("connection_id") REFERENCES "connections"("id") ON DELETE CASCADE ON UPDATE CASCADE;
