-- The end of raw sources: with their sessions, or by their age. What is left says that they were here; of their ids a
-- digest, so that a producer that brings one again is not believed.
CREATE FUNCTION purge_raw_sources(ids uuid[]) RETURNS integer LANGUAGE sql AS $$
  UPDATE connector_runs r SET message = NULL, log = '[]', calls = '[]'
   WHERE r.raw_source_id = ANY(ids) AND (r.message IS NOT NULL OR r.log <> '[]' OR r.calls <> '[]');

  WITH purged AS (
    UPDATE raw_sources
       SET content = NULL, sha256 = NULL, result_sha256 = NULL, headers = NULL, sealed_headers = NULL, message = NULL,
           description = NULL, participants = NULL, created_by_source_at = NULL, mime = NULL, session_key = NULL,
           external_id = NULL,
           unique_id = 'sha256:' || encode(sha256(convert_to(unique_id, 'UTF8')), 'hex'),
           message_id = 'sha256:' || encode(sha256(convert_to(message_id, 'UTF8')), 'hex'),
           status = CASE WHEN status IN ('received', 'unmatched') THEN 'discarded'::raw_source_status ELSE status END,
           due_at = NULL, lease_token = NULL, leased_until = NULL, purged_at = now()
     WHERE id = ANY(ids) AND purged_at IS NULL
    RETURNING 1
  )
  SELECT count(*)::int FROM purged;
$$;
