-- Settings that every account has.

ALTER TABLE "user"
    ADD COLUMN locale text NOT NULL DEFAULT 'en',
    ADD COLUMN feature_flags text[] NOT NULL DEFAULT '{drawing,sharing}',
    ADD COLUMN edge_scroll_speed numeric(4, 2) NOT NULL DEFAULT 1.25,
    ADD COLUMN birthday date;
