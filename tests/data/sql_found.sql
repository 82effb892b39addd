-- case: a join of two tables by columns that are no key
CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT);
CREATE TABLE u (id INTEGER PRIMARY KEY, b TEXT);
INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, NULL);
INSERT INTO u VALUES (1, 'x'), (2, 'x'), (3, NULL);
-- live
SELECT t.id AS c0, u.id AS c1 FROM t LEFT JOIN u ON t.a = u.b;
-- transaction
DELETE FROM u WHERE id = 1;
-- transaction
UPDATE u SET b = 'y';

-- case: a comma joins like CROSS JOIN, from left to right
CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER);
CREATE TABLE u (id INTEGER PRIMARY KEY, a INTEGER);
CREATE TABLE v (id INTEGER PRIMARY KEY, a INTEGER);
INSERT INTO t VALUES (1, 1), (2, 2);
INSERT INTO u VALUES (1, 1), (2, 5);
INSERT INTO v VALUES (1, 1), (2, 9);
-- live
SELECT t.id AS c0, u.id AS c1, v.id AS c2 FROM t, u LEFT JOIN v ON t.a = v.a AND u.a = v.id;
-- live
SELECT t.id AS c0, u.id AS c1, v.id AS c2 FROM t, u RIGHT JOIN v ON u.a = v.a;
-- live
SELECT t.id AS c0, u.id AS c1, v.id AS c2 FROM u, t JOIN v USING (a);
-- transaction
INSERT INTO v VALUES (3, 2);
DELETE FROM u WHERE id = 1;
-- transaction
DELETE FROM t;

-- case: IS DISTINCT FROM TRUE is a test of truth, and a number with a plus is the place of a column
CREATE TABLE t (id INTEGER PRIMARY KEY, a);
INSERT INTO t VALUES (1, 2), (2, '2.5'), (3, ''), (4, 0), (5, NULL), (6, 1);
-- live
SELECT id FROM t WHERE a IS DISTINCT FROM TRUE;
-- live
SELECT id FROM t WHERE a IS NOT DISTINCT FROM (FALSE);
-- live
SELECT id FROM t WHERE a IS (TRUE);
-- live ordered
SELECT a, id FROM t ORDER BY (+2) COLLATE NOCASE DESC;
-- transaction
UPDATE t SET a = 3 WHERE id > 2;

-- case: a column of a subquery has a collation, which goes before that of the right side
CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE);
CREATE TABLE u (id INTEGER PRIMARY KEY, x TEXT);
INSERT INTO t VALUES (1, 'A'), (2, 'b');
INSERT INTO u VALUES (1, 'a'), (2, 'b');
-- live
SELECT s.c AS c0, t.id AS c1 FROM (SELECT x || '' AS c FROM u) AS s LEFT JOIN t ON s.c = t.a;
-- live
SELECT s.c AS c0, t.id AS c1 FROM (SELECT 'a' AS c FROM u) AS s JOIN t ON t.a = s.c;
-- transaction
UPDATE u SET x = 'B';

-- case: a constant expression is looked for among booleans
CREATE TABLE t (id INTEGER PRIMARY KEY, a BOOLEAN);
INSERT INTO t VALUES (1, 0), (2, NULL);
-- live
SELECT id FROM t WHERE (+0) IN (SELECT a FROM t);
-- live
SELECT count(*) AS c0 FROM t HAVING (2 % -1) IN (SELECT a FROM t);
-- live
SELECT id FROM t WHERE (6 < 0) NOT IN (SELECT a FROM t);
-- transaction
UPDATE t SET a = 1 WHERE id = 1;
-- transaction
UPDATE t SET a = FALSE;
