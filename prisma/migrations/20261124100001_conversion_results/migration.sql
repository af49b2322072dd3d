-- What a conversion made, so that the same again is no revision even when modifiers have changed the session since.
ALTER TABLE "raw_sources" ADD COLUMN     "result_sha256" TEXT;
