-- Comments pinned to a place of a drawing. The fourth table that clients see.

BEGIN;
CREATE TABLE file_comment (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id uuid NOT NULL REFERENCES file (id) ON DELETE CASCADE,
    author_id text NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    place point NOT NULL,
    body text NOT NULL,
    resolved boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX file_comment_file_id ON file_comment (file_id);
ALTER PUBLICATION drawing_sync ADD TABLE file_comment;
INSERT INTO file_comment (file_id, author_id, place, body)
    SELECT id, owner_id, '(0,0)', 'Comments are new. This one is for ' || name FROM file;
COMMIT;
