-- Extension data: merged part by part and key by key, so that of two who write at the same time none is lost.

-- `change` is {part: {"set": {…}, "remove": […]} | {"value": …}}. In an UPDATE it is computed again on the row that
-- another transaction has just written, so it needs no lock of its own.
CREATE FUNCTION merge_extension_data(present jsonb, change jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  result jsonb := CASE WHEN jsonb_typeof(present) = 'object' THEN present ELSE '{}' END;
  part text;
  what jsonb;
  merged jsonb;
BEGIN
  FOR part, what IN SELECT * FROM jsonb_each(change) LOOP
    IF what ? 'value' THEN
      merged := what -> 'value';
    ELSE
      merged := CASE WHEN jsonb_typeof(result -> part) = 'object' THEN result -> part ELSE '{}' END;
      merged := (merged || (what -> 'set')) - ARRAY(SELECT jsonb_array_elements_text(what -> 'remove'));
    END IF;
    IF octet_length(merged::text) > 65536 THEN
      RAISE EXCEPTION 'extension data too large' USING ERRCODE = 'SLX01', DETAIL = part;
    END IF;
    result := result || jsonb_build_object(part, merged);
  END LOOP;
  RETURN result;
END $$;

-- What connectors call the keys of their annotations, in a language.
CREATE TABLE "connector_labels" (
    "connector_id" UUID NOT NULL,
    "locale" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "label" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "connector_labels_pkey" PRIMARY KEY ("connector_id","locale","key")
);

ALTER TABLE "connector_labels" ADD CONSTRAINT "connector_labels_connector_id_fkey" FOREIGN KEY ("connector_id") REFERENCES "connectors"("id") ON DELETE CASCADE ON UPDATE CASCADE;
