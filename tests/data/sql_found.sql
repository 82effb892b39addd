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
