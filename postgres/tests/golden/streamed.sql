-- Transactions that are streamed while they are in progress, and with what is needed to apply them in parallel.
-- options: proto_version 2, streaming on, messages true
-- as streamed_parallel: proto_version 4, streaming parallel, messages true; from 16

CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE counted (id integer PRIMARY KEY, m mood);
CREATE TABLE other (id integer PRIMARY KEY)

CREATE PUBLICATION golden FOR ALL TABLES

-- slot

INSERT INTO counted SELECT i, 'ok' FROM generate_series(1, 1000) i;
UPDATE counted SET id = -1, m = 'sad' WHERE id = 1;
DELETE FROM counted WHERE id = 2;
SELECT pg_logical_emit_message(true, 'penstock', 'within');
TRUNCATE other

BEGIN;
INSERT INTO counted SELECT i, NULL FROM generate_series(2001, 2010) i;
SAVEPOINT s;
INSERT INTO counted SELECT i, 'sad' FROM generate_series(3001, 4000) i;
ROLLBACK TO s;
INSERT INTO other VALUES (1);
COMMIT

INSERT INTO other VALUES (2)
