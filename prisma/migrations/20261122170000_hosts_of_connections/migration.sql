-- What a connection may call, for people to see: hosts of its manifest, and those that its settings name.
ALTER TABLE "connections" ADD COLUMN "hosts" TEXT[] DEFAULT ARRAY[]::TEXT[];

-- Until now only manifests named hosts.
UPDATE "connections" AS c
   SET "hosts" = k."hosts"
  FROM (SELECT "id", array_agg(permission ->> 'socket' ORDER BY place) AS "hosts"
          FROM "connectors",
               jsonb_array_elements("manifest" -> 'permissions') WITH ORDINALITY AS each(permission, place)
         WHERE permission ? 'socket' AND jsonb_typeof(permission) = 'object'
         GROUP BY "id") AS k
 WHERE c."connector_id" = k."id";
