-- What a connector's code exports, learnt when it was installed; empty for what was installed before.
ALTER TABLE "connectors" ADD COLUMN "functions" TEXT[] DEFAULT ARRAY[]::TEXT[];
