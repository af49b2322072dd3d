-- Emptying deliveries as a whole fires no trigger for rows.
CREATE FUNCTION empty_delivery_queue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE delivery_queue;
  RETURN NULL;
END $$;

CREATE TRIGGER keep_queue_truncate AFTER TRUNCATE ON deliveries FOR EACH STATEMENT EXECUTE FUNCTION empty_delivery_queue();
