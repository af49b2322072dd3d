-- What was checked and found unfit: its content is removed, the row says why.
ALTER TYPE "upload_status" ADD VALUE 'refused';
ALTER TYPE "file_status" ADD VALUE 'refused';

-- Two teams may name the same session id: neither may keep the other from a file name.
DROP INDEX "file_uploads_session_id_name_key";
CREATE UNIQUE INDEX "file_uploads_session_id_team_id_flow_id_name_key" ON "file_uploads"("session_id", "team_id", "flow_id", "name");

-- Where the file can be had, relative to the gateway's address. It opens nothing by itself.
ALTER TABLE "session_files" ADD COLUMN "url" TEXT GENERATED ALWAYS AS ('/v1/sessions/' || session_id::text || '/files/' || id::text) STORED;

SELECT track_changes('session_files', 'id session_id name status');
