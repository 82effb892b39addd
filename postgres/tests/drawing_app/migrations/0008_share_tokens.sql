-- A secret for each link. Each file gets its own, so that this one cannot be told from the definition.

ALTER TABLE file ADD COLUMN share_token uuid NOT NULL DEFAULT gen_random_uuid();
CREATE UNIQUE INDEX file_share_token ON file (share_token);
