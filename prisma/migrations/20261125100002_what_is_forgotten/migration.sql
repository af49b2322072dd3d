-- What is removed first of purged raw sources: those without an id by which a producer would know them again.
CREATE INDEX "raw_sources_forgotten_idx" ON "raw_sources"("purged_at") WHERE "unique_id" IS NULL AND "purged_at" IS NOT NULL;
