-- A column of every type, in text form and in binary form.
-- options: proto_version 1
-- as types_binary: proto_version 1, binary true

CREATE TYPE mood AS ENUM ('sad', 'so-so', 'ha"p,py');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN checked AS positive;
CREATE DOMAIN names AS text[];
CREATE TYPE pair AS (n integer, t text);
CREATE TYPE nested AS (p pair, ps pair[], j jsonb, at timestamptz, r int4range);
CREATE TYPE floatrange AS RANGE (subtype = float8)

CREATE TABLE numbers (id integer PRIMARY KEY, bo boolean, i2 smallint, i4 integer, i8 bigint, o oid, f4 real, f8 double precision, n numeric, n2 numeric(12, 4), m money)

CREATE TABLE times (id integer PRIMARY KEY, d date, t time, tz timetz, ts timestamp, tstz timestamptz, i interval)

CREATE TABLE texts (id integer PRIMARY KEY, t text, v varchar(20), c char(5), n name, u uuid, x xml, e mood, b bit(5), vb varbit, by bytea, ch "char")

CREATE TABLE json_values (id integer PRIMARY KEY, j json, jb jsonb, jp jsonpath)

CREATE TABLE networks (id integer PRIMARY KEY, i inet, c cidr, m macaddr, m8 macaddr8)

CREATE TABLE geometry (id integer PRIMARY KEY, p point, l line, s lseg, b box, pa path, po polygon, c circle)

CREATE TABLE searches (id integer PRIMARY KEY, v tsvector, q tsquery)

CREATE TABLE ranges (id integer PRIMARY KEY, i4 int4range, n numrange, ts tsrange, tstz tstzrange, d daterange, f floatrange, m int4multirange)

CREATE TABLE arrays (id integer PRIMARY KEY, i integer[], t text[], n numeric[], f float8[], b boolean[], by bytea[], ts timestamptz[], j jsonb[], bx box[], e mood[], u uuid[], iv interval[], p pair[])

CREATE TABLE made (id integer PRIMARY KEY, po positive, ch checked, na names, pa pair, ne nested)

CREATE TABLE system (id integer PRIMARY KEY, lsn pg_lsn, x xid8, c regclass, t regtype, s pg_snapshot, v int2vector, o oidvector)

CREATE PUBLICATION golden FOR ALL TABLES

-- slot

INSERT INTO numbers VALUES
  (1, true, 32767, 2147483647, 9223372036854775807, 4294967295, 3.4028235e38, 1.7976931348623157e308, 9223372036854775807, 12345678.1234, 12.34),
  (2, false, -32768, -2147483648, -9223372036854775808, 0, -1e-45, 5e-324, -9223372036854775808, -0.0001, -0.01),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, true, 0, 0, 9007199254740993, 1, 'NaN', 'NaN', 'NaN', 'NaN', 0),
  (5, true, 0, 0, 0, 1, 'Infinity', '-Infinity', 'Infinity', 0, 0),
  (6, true, 0, 0, 0, 1, '-0', '-0', '-0.000', 0.0001, 0),
  (7, true, 0, 0, 0, 1, 1.1, 0.1, 123456789012345678901234567890.123456789, 10000, 0),
  (8, true, 0, 0, 0, 1, 16777216, 9007199254740992, 9223372036854775808, 100, 0),
  (9, true, 0, 0, 0, 1, 0.3, 1e15, 1e-20, 1.5000, 0),
  (10, true, 0, 0, 0, 1, 1e10, 123456789.987654321, 1e30, 99999999.9999, 0),
  (11, true, 0, 0, 0, 1, 0, 0, 12345678901234567.5, 0.5, 0),
  (12, true, 0, 0, 0, 1, 0, 0, -0.000000000000000000001234567, -12345678.9, 0),
  (13, true, 0, 0, 0, 1, 0, 0, 1e200, 1, 0),
  (14, true, 0, 0, 0, 1, 0, 0, 1e400, 1, 0),
  (15, true, 0, 0, 0, 1, 0, 0, 9007199254740993.1, 1, 0),
  (16, true, 0, 0, 0, 1, 0, 0, 900719925474.0993, 1, 0)

INSERT INTO times VALUES
  (1, '1970-01-01', '00:00', '00:00+00', '1970-01-01', '1970-01-01 00:00+00', '0'),
  (2, '4714-11-24 BC', '24:00', '24:00-15:59', '4714-11-24 00:00 BC', '4714-11-24 00:00+00 BC', '1 year 2 mons 3 days 04:05:06.789'),
  (3, '5874897-12-31', '23:59:59.999999', '12:00:00.5+05:30', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '-1 year 2 mons -3 days -04:05:06.000001'),
  (4, 'infinity', '01:02:03.4', '01:02:03-08', 'infinity', 'infinity', '178000000 years'),
  (5, '-infinity', '12:34:56.000001', '00:30+01', '-infinity', '-infinity', '-2000000:00:54.775807'),
  (6, NULL, NULL, NULL, NULL, NULL, NULL),
  (7, '2000-02-29', '00:00:00.000001', '23:30-01', '2024-02-29 12:34:56.123456', '2024-02-29 12:34:56.123456+05:30', '1 mon -30 days'),
  (8, '0001-01-01', '00:00', '00:00+00', '0001-01-01 00:00 BC', '1900-01-01 00:00:00.1+00', '-0.5 seconds')

-- from 17
INSERT INTO times VALUES (9, NULL, NULL, NULL, NULL, NULL, 'infinity'), (10, NULL, NULL, NULL, NULL, NULL, '-infinity')

INSERT INTO texts VALUES
  (1, E'a\nb\t"c"\\', 'é€😀', 'ab', 'a_name', '00112233-4455-6677-8899-AABBCCDDEEFF', '<a b="c">d</a>', 'ha"p,py', '10101', '', '\x00ff5c', 'x'),
  (2, '', '', '', '', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '', 'sad', '00000', '101010101', '', E'\''),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, 'NULL', 'x', 'äöü', 'n', '00000000-0000-0000-0000-000000000000', '<?xml version="1.0" standalone="yes"?><ä/>', 'so-so', '11111', '0', '\x5c78', 'ab')

INSERT INTO json_values VALUES
  (1, '{ "b" : 1, "a":[1.50, null, "x\u00e9"] , "b":2}', '{ "b" : 1, "a":[1.50, null, "x\u00e9"] , "b":2}', '$.a[*] ? (@ > 1)'),
  (2, 'null', 'null', '$'),
  (3, '"text"', '12345678901234567890.123456789', NULL),
  (4, NULL, NULL, NULL)

INSERT INTO networks VALUES
  (1, '192.168.0.1', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05'),
  (2, '::ffff:1.2.3.4/96', '2001:db8::/32', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff'),
  (3, NULL, NULL, NULL, NULL)

INSERT INTO geometry VALUES
  (1, '(1.5,-2)', '{1,2,3}', '[(0,0),(1,1)]', '(0,0),(1,1)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(0,0),1.5>'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL)

INSERT INTO searches VALUES (1, 'a:1A fat:2 ''c at''', 'fat & !rat:A'), (2, NULL, NULL)

INSERT INTO ranges VALUES
  (1, '[1,5)', '(1.5,)', '[2024-01-01,2024-02-01)', '[2024-01-01 00:00+00,)', '[2024-01-01,2024-01-31]', '[1.5,2.5]', '{[1,3),[5,9)}'),
  (2, 'empty', '(,)', 'empty', 'empty', 'empty', 'empty', '{}'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL)

INSERT INTO arrays VALUES
  (1, '{1,NULL,-3}', '{"","NULL",NULL,"a\"b\\c,d","{x}",é}', '{1.50,NaN,12345678901234567890}', '{1,0.5,NaN,Infinity,-Infinity,1e300,1e15}', '{t,f,NULL}', '{"\\x00ff",NULL}', '{"2024-02-29 12:00:00+00",infinity}', '{"{\"a\": [1, \"x\"]}",NULL}', '{(1,1),(0,0);(2,2),(1,1)}', '{sad,"ha\"p,py"}', '{00112233-4455-6677-8899-aabbccddeeff}', '{"1 day 02:00",NULL}', '{"(1,\"a \\\"\\\"b\\\"\\\"\")","(,)",NULL}'),
  (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
  (3, '[0:1][-1:1]={{1,2,3},{4,5,6}}', '{{a,b},{c,NULL}}', NULL, '{{{1},{2}}}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)

INSERT INTO made VALUES
  (1, 1, 2, '{a,b}', '(1,"x ""y"" (z), \\")', ROW(ROW(1, 'in'), ARRAY[ROW(2, 'a,b'), ROW(NULL, '')]::pair[], '{"k": "v"}', '2024-02-29 12:00+00', '[1,3)')),
  (2, NULL, NULL, NULL, NULL, NULL),
  (3, NULL, NULL, '{}', '(,)', ROW(NULL, '{}', NULL, NULL, NULL))

INSERT INTO system VALUES (1, '16/B374D848', '18446744073709551615', 'pg_class', 'integer', '10:20:10,14,15', '1 2 3', '4 5'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
