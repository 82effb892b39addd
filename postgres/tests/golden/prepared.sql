-- Transactions that are prepared and then committed or rolled back.
-- options: proto_version 3, streaming on, two_phase true; from 15; two-phase

CREATE TABLE plain (id integer PRIMARY KEY)

CREATE PUBLICATION golden FOR ALL TABLES

-- slot

BEGIN;
INSERT INTO plain VALUES (1);
PREPARE TRANSACTION 'first'

COMMIT PREPARED 'first'

BEGIN;
INSERT INTO plain VALUES (2);
PREPARE TRANSACTION 'sécond'

ROLLBACK PREPARED 'sécond'

BEGIN;
INSERT INTO plain SELECT generate_series(1001, 2000);
PREPARE TRANSACTION 'streamed'

COMMIT PREPARED 'streamed'
