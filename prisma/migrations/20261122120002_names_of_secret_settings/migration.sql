-- Which PASSWORD settings of a connection have a value: people see that, never the value.
ALTER TABLE "connections" ADD COLUMN "secret_settings" TEXT[] DEFAULT ARRAY[]::TEXT[];
