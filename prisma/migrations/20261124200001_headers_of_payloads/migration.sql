-- What a vendor's own check needs of a request and nobody may read, until it has passed.
ALTER TABLE "raw_sources"
ADD COLUMN     "sealed_headers" BYTEA,
ADD COLUMN     "validated_at" TIMESTAMPTZ(3);
