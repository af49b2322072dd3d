-- A connector may replace what is kept of a payload; a repetition is known by what came.
ALTER TABLE "raw_sources" ADD COLUMN     "payload_sha256" TEXT;

DROP INDEX "raw_sources_connection_id_sha256_idx";
CREATE INDEX "raw_sources_connection_id_payload_sha256_idx" ON "raw_sources"("connection_id", "payload_sha256");
