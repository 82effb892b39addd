-- Accounts, drawings, what each account remembers of each drawing, and uploaded pictures.

CREATE TABLE "user" (
    id text PRIMARY KEY,
    name varchar(40) NOT NULL,
    email text NOT NULL UNIQUE,
    avatar_url text,
    color varchar(16) NOT NULL DEFAULT 'black',
    preferences jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TYPE link_access AS ENUM ('view', 'edit');

CREATE TABLE file (
    id uuid PRIMARY KEY,
    owner_id text NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    name text NOT NULL DEFAULT '',
    slug text NOT NULL UNIQUE,
    shared boolean NOT NULL DEFAULT false,
    shared_access link_access NOT NULL DEFAULT 'view',
    document jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX file_owner_id ON file (owner_id);

CREATE TABLE file_state (
    user_id text NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    file_id uuid NOT NULL REFERENCES file (id) ON DELETE CASCADE,
    first_visit_at timestamptz,
    last_visit_at timestamptz,
    last_edit_at timestamptz,
    camera jsonb,
    PRIMARY KEY (user_id, file_id)
);

CREATE INDEX file_state_file_id ON file_state (file_id);

-- Only the server looks at these.
CREATE TABLE asset (
    object_name text PRIMARY KEY,
    file_id uuid NOT NULL REFERENCES file (id) ON DELETE CASCADE,
    content_type text NOT NULL,
    bytes bigint NOT NULL CHECK (bytes >= 0),
    digest bytea NOT NULL,
    uploaded_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE file REPLICA IDENTITY FULL;
ALTER TABLE file_state REPLICA IDENTITY FULL;

-- Who was let in by a link does not keep the file once the link is off.
CREATE FUNCTION forget_guests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM file_state WHERE file_id = NEW.id AND user_id <> NEW.owner_id;
    RETURN NEW;
END $$;

CREATE TRIGGER file_sharing_switched_off
    AFTER UPDATE OF shared ON file
    FOR EACH ROW WHEN (OLD.shared AND NOT NEW.shared)
    EXECUTE FUNCTION forget_guests();

CREATE PUBLICATION drawing_sync FOR TABLE "user", file, file_state;
