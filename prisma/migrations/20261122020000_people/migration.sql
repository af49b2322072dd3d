-- What a token says of a person must not outlive what is true of them. Whoever writes these tables,
-- by GraphQL or by hand: tokens that were issued before the change are void.

-- Roles per team. Nothing is taken from anybody by a new membership, so an insert voids nothing.
CREATE FUNCTION void_tokens_of_members() RETURNS trigger LANGUAGE plpgsql AS $$
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
  UPDATE users SET tokens_valid_from = clock_timestamp() WHERE id = ANY (changed);
  RETURN NULL;
END $$;

CREATE TRIGGER void_tokens_update AFTER UPDATE ON team_members
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION void_tokens_of_members();
CREATE TRIGGER void_tokens_delete AFTER DELETE ON team_members
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION void_tokens_of_members();

-- Disabled or enabled, made admin or no longer, a new password.
CREATE FUNCTION void_tokens_of_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.tokens_valid_from := clock_timestamp();
  RETURN NEW;
END $$;

CREATE TRIGGER void_tokens BEFORE UPDATE ON users FOR EACH ROW
  WHEN ((OLD.is_admin, OLD.disabled_at, OLD.password_hash) IS DISTINCT FROM (NEW.is_admin, NEW.disabled_at, NEW.password_hash))
  EXECUTE FUNCTION void_tokens_of_user();
