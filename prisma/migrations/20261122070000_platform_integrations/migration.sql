-- Integrations of the platform (without a team) have slugs of their own. The unique key over
-- (team_id, slug) does not hold them, because null differs from null there.
CREATE UNIQUE INDEX integrations_platform_slug_key ON integrations (slug) WHERE team_id IS NULL;

-- Whoever enables a target again, and by whatever statement, means to give it a fresh start. A
-- trigger on the column sees an upsert, an import and a change by hand alike; the delivery engine
-- writes the state of a target and never `enabled`, so it does not fire for the engine.
CREATE FUNCTION webhook_fresh_start() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.state := 'active';
  NEW.state_reason := NULL;
  NEW.consecutive_failures := 0;
  NEW.failing_since := NULL;
  NEW.disabled_at := NULL;
  NEW.probe_at := NULL;
  RETURN NEW;
END $$;

CREATE TRIGGER fresh_start_when_enabled BEFORE UPDATE OF enabled ON webhooks
  FOR EACH ROW WHEN (NEW.enabled) EXECUTE FUNCTION webhook_fresh_start();
-- Another address is another endpoint.
CREATE TRIGGER fresh_start_elsewhere BEFORE UPDATE OF url ON webhooks
  FOR EACH ROW WHEN (NEW.url <> OLD.url) EXECUTE FUNCTION webhook_fresh_start();

CREATE FUNCTION connection_fresh_start() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.health := 'active';
  NEW.state_reason := NULL;
  NEW.consecutive_failures := 0;
  NEW.failing_since := NULL;
  NEW.disabled_at := NULL;
  NEW.probe_at := NULL;
  RETURN NEW;
END $$;

CREATE TRIGGER fresh_start_when_enabled BEFORE UPDATE OF enabled ON connections
  FOR EACH ROW WHEN (NEW.enabled) EXECUTE FUNCTION connection_fresh_start();
