-- Of what is hidden, people see that it is there: names of secret headers, and until when each secret signs.
ALTER TABLE "webhooks" ADD COLUMN "secret_header_names" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[];

SELECT track_changes('webhook_secrets', 'id webhook_id expires_at');
