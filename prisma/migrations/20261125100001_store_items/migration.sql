-- What lies in the stores of connections, and whose data may be in it. Rows outlive their connection: they say what is
-- still to be removed from the file storage.
CREATE TABLE "store_items" (
    "connection_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "keep" BOOLEAN NOT NULL DEFAULT false,
    "written_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "store_items_pkey" PRIMARY KEY ("connection_id", "name")
);

CREATE TABLE "store_item_origins" (
    "connection_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "origin_id" UUID NOT NULL,

    CONSTRAINT "store_item_origins_pkey" PRIMARY KEY ("connection_id", "name", "origin_id")
);

-- CreateIndex
CREATE INDEX "store_item_origins_origin_id_idx" ON "store_item_origins"("origin_id");

-- AddForeignKey
ALTER TABLE "store_item_origins" ADD CONSTRAINT "store_item_origins_connection_id_name_fkey" FOREIGN KEY ("connection_id", "name") REFERENCES "store_items"("connection_id", "name") ON DELETE CASCADE ON UPDATE CASCADE;
