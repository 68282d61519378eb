-- +goose Up
-- Who signed the namespace's newest snapshot, and how: made once, with the commit.
-- NULL for what was written before snapshots were signed.
ALTER TABLE namespaces ADD COLUMN signed_by TEXT;
ALTER TABLE namespaces ADD COLUMN signature BLOB CHECK (length(signature) = 64);
