-- Files can be pinned, each by each account; the whole session is kept, not the camera alone.

ALTER TABLE file_state ADD COLUMN is_pinned boolean DEFAULT false;
ALTER TABLE file_state ADD COLUMN session jsonb;
CREATE INDEX file_state_pinned ON file_state (user_id) WHERE is_pinned;
