-- Every kind of change of rows and tables. Each paragraph is one transaction.
-- options: proto_version 1, messages true

CREATE TABLE plain (id bigint PRIMARY KEY, a text, b integer)

CREATE TABLE big (id integer PRIMARY KEY, note text, body text);
ALTER TABLE big ALTER COLUMN body SET STORAGE EXTERNAL

CREATE TABLE whole (a integer, b text, body text);
ALTER TABLE whole ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE whole REPLICA IDENTITY FULL

CREATE TABLE indexed (a integer NOT NULL, b text NOT NULL, c integer);
CREATE UNIQUE INDEX indexed_key ON indexed (b, a);
ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_key

CREATE SCHEMA "Other.schema";
CREATE TABLE "Other.schema"."Odd ""name" ("a b" integer PRIMARY KEY, g integer GENERATED ALWAYS AS ("a b" * 2) STORED, "é" text)

CREATE TABLE parted (id integer, day integer, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20)

CREATE TABLE without_identity (a integer)

CREATE PUBLICATION golden FOR ALL TABLES WITH (publish_via_partition_root = true)

-- slot

INSERT INTO plain VALUES (1, 'one', 1), (9223372036854775807, NULL, NULL), (-9223372036854775808, '', -1);
UPDATE plain SET a = 'uno' WHERE id = 1;
UPDATE plain SET id = 2 WHERE id = 1;
DELETE FROM plain WHERE id = 2

INSERT INTO big VALUES (1, 'n', repeat('x', 2500))

UPDATE big SET note = 'm'

UPDATE big SET id = 2

UPDATE big SET body = 'small now'

INSERT INTO whole VALUES (1, 'x', repeat('y', 2500)), (1, 'x', NULL)

UPDATE whole SET b = 'z' WHERE body IS NOT NULL;
DELETE FROM whole

INSERT INTO indexed VALUES (1, 'x', 1);
UPDATE indexed SET c = 2;
UPDATE indexed SET a = 2;
DELETE FROM indexed

INSERT INTO "Other.schema"."Odd ""name" VALUES (1, DEFAULT, 'ü')

INSERT INTO parted VALUES (1, 1), (2, 11);
UPDATE parted SET day = 12 WHERE id = 1;
DELETE FROM parted WHERE id = 2

INSERT INTO without_identity VALUES (1)

TRUNCATE plain, big RESTART IDENTITY

TRUNCATE parted CASCADE

BEGIN;
INSERT INTO plain VALUES (3, 'kept', 3);
SAVEPOINT s;
INSERT INTO plain VALUES (4, 'rolled back', 4);
ROLLBACK TO s;
SAVEPOINT t;
INSERT INTO plain VALUES (5, 'kept', 5);
RELEASE t;
COMMIT

BEGIN;
INSERT INTO plain VALUES (6, 'rolled back', 6);
ROLLBACK

ALTER TABLE plain ADD COLUMN c integer NOT NULL DEFAULT 7

INSERT INTO plain VALUES (7, 'x', 1, 2)

INSERT INTO plain VALUES (8, 'before', 1, 2);
ALTER TABLE plain DROP COLUMN b;
INSERT INTO plain VALUES (9, 'between', 3);
ALTER TABLE plain RENAME COLUMN a TO name;
INSERT INTO plain VALUES (10, 'after', 4)

ALTER TABLE plain ALTER COLUMN c TYPE bigint;
UPDATE plain SET c = c + 1 WHERE id = 10

ALTER TABLE plain RENAME TO renamed;
DELETE FROM renamed WHERE id = 10

ALTER TABLE renamed REPLICA IDENTITY FULL;
DELETE FROM renamed WHERE id = 9

CREATE TABLE again (id integer PRIMARY KEY);
INSERT INTO again VALUES (1)

DROP TABLE again

CREATE TABLE again (id text PRIMARY KEY);
INSERT INTO again VALUES ('one')

SELECT pg_logical_emit_message(true, 'penstock', 'a part of a transaction');
INSERT INTO without_identity VALUES (2)

SELECT pg_logical_emit_message(false, 'penstock', 'of no transaction')

SELECT pg_replication_origin_create('elsewhere')

SELECT pg_replication_origin_session_setup('elsewhere')

SELECT pg_replication_origin_xact_setup('1/2345', '2024-02-29 12:00:00+00');
INSERT INTO without_identity VALUES (3)

SELECT pg_replication_origin_session_reset()
