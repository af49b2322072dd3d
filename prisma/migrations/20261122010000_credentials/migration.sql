-- The last characters of a secret: tells an operator which one is in use, and which hash to measure a given one against.
ALTER TABLE "api_secrets" ADD COLUMN "ending" TEXT;

-- CreateTable
CREATE TABLE "ended_access" (
    "id" UUID NOT NULL,
    "ended_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "ended_access_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "client_assertions" (
    "credential_id" UUID NOT NULL,
    "jti" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "client_assertions_pkey" PRIMARY KEY ("credential_id","jti")
);

-- CreateIndex
CREATE INDEX "ended_access_ended_at_idx" ON "ended_access"("ended_at");

-- CreateIndex
CREATE INDEX "client_assertions_expires_at_idx" ON "client_assertions"("expires_at");

-- AddForeignKey
ALTER TABLE "client_assertions" ADD CONSTRAINT "client_assertions_credential_id_fkey" FOREIGN KEY ("credential_id") REFERENCES "api_credentials"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- A deleted row can no longer say that its access has ended, while its tokens still live.
CREATE FUNCTION note_ended_access() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO ended_access (id) SELECT id FROM old_rows ON CONFLICT (id) DO NOTHING;
  RETURN NULL;
END $$;

CREATE TRIGGER note_ended_access AFTER DELETE ON teams           REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_ended_access();
CREATE TRIGGER note_ended_access AFTER DELETE ON users           REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_ended_access();
CREATE TRIGGER note_ended_access AFTER DELETE ON integrations    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_ended_access();
CREATE TRIGGER note_ended_access AFTER DELETE ON api_credentials REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_ended_access();
CREATE TRIGGER note_ended_access AFTER DELETE ON api_secrets     REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_ended_access();

-- The trigger lists columns, and one is new.
SELECT track_changes('api_secrets', 'id credential_id expires_at');
