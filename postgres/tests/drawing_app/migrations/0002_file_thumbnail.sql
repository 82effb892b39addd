-- A picture for the list of files; files that are there already get a placeholder.

BEGIN;
ALTER TABLE file ADD COLUMN thumbnail text;
UPDATE file SET thumbnail = '/thumbnails/' || slug || '.webp';
COMMIT;
