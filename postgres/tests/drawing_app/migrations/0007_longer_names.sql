-- Names were too short, and colours too.

ALTER TABLE "user" ALTER COLUMN name TYPE text, ALTER COLUMN color TYPE varchar(32);
ALTER TABLE "user" ALTER COLUMN color SET DEFAULT 'cornflower blue';
ALTER TABLE "user" ADD COLUMN pronouns varchar(20) DEFAULT '';
