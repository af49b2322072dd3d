-- Tokens tell when they were issued in whole milliseconds, cut off. The moment before which they are void is
-- the next one: else a token of the same millisecond, issued just before a change, would outlive it. One that
-- is issued after the change says at least this moment (readPerson in people.ts).
CREATE FUNCTION next_token_moment() RETURNS timestamptz LANGUAGE sql VOLATILE AS
$$ SELECT date_trunc('milliseconds', clock_timestamp()) + interval '1 millisecond' $$;

CREATE OR REPLACE FUNCTION void_tokens_of_members() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed uuid[];
BEGIN
  IF TG_OP = 'DELETE' THEN
    SELECT array_agg(DISTINCT user_id) INTO changed FROM old_rows;
  ELSE
    SELECT array_agg(DISTINCT o.user_id) INTO changed
      FROM old_rows o JOIN new_rows n USING (id)
     WHERE (o.team_id, o.user_id, o.role) IS DISTINCT FROM (n.team_id, n.user_id, n.role);
  END IF;
  IF changed IS NULL THEN
    RETURN NULL;
  END IF;
  -- A token that is being issued holds this row shared until it has read the memberships. The clock is
  -- read after that wait: read before it, such a token would be younger than this moment and live on.
  PERFORM 1 FROM users WHERE id = ANY (changed) ORDER BY id FOR NO KEY UPDATE;
  UPDATE users SET tokens_valid_from = next_token_moment() WHERE id = ANY (changed);
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION void_tokens_of_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.tokens_valid_from := next_token_moment();
  RETURN NEW;
END $$;
