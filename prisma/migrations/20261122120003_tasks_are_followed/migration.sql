-- A gateway hears in its change feed that a worker has answered. Nothing of the answer is in there.
SELECT track_changes('connector_tasks', 'id finished_at');
