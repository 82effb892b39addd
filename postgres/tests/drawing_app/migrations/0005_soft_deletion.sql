-- Files are marked as deleted, and go later.

BEGIN;
ALTER TABLE file ADD COLUMN is_deleted boolean NOT NULL DEFAULT false;
ALTER TABLE file ADD COLUMN deleted_at timestamptz;
ALTER TABLE file ADD CONSTRAINT file_deleted_when CHECK (is_deleted = (deleted_at IS NOT NULL));

CREATE OR REPLACE FUNCTION forget_guests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM file_state WHERE file_id = NEW.id AND (user_id <> NEW.owner_id OR NEW.is_deleted);
    RETURN NEW;
END $$;

CREATE TRIGGER file_marked_as_deleted
    AFTER UPDATE OF is_deleted ON file
    FOR EACH ROW WHEN (NEW.is_deleted AND NOT OLD.is_deleted)
    EXECUTE FUNCTION forget_guests();
COMMIT;
