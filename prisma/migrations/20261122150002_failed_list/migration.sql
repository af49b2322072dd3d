-- An index that names status or finished_at is written by the end of every delivery,
-- and keeps all the others from being spared (HOT): writing the results of 250 took 36
-- ms with it and 18 without. last_error stays null in a delivery that succeeds at once,
-- so this one costs only what has failed. The list of exhausted deliveries is found by
-- it when it asks for last_error too: where: {status: {_eq: exhausted}, last_error: {_is_null: false}}.
DROP INDEX "deliveries_team_id_finished_at_idx";
CREATE INDEX "deliveries_failed_idx" ON "deliveries"("team_id", "created_at" DESC) WHERE last_error IS NOT NULL;
