-- A file's name may hold a person's, and the change log holds no data: not even for the minutes until it is pruned.
SELECT track_changes('session_files', 'id session_id status');
