-- +goose Up
-- The SHA-256 of a document that was dropped from the history, in whose place the
-- body is empty; NULL while the document is there.
ALTER TABLE changes ADD COLUMN dropped BLOB CHECK (length(dropped) = 32);
ALTER TABLE schema_changes ADD COLUMN dropped BLOB CHECK (length(dropped) = 32);

-- What a compaction looks through: documents that are still there.
CREATE INDEX changes_with_document ON changes (namespace, revision, name) WHERE dropped IS NULL AND op = 'put';
CREATE INDEX schema_changes_with_document ON schema_changes (namespace, revision, name) WHERE dropped IS NULL AND op = 'put_schema';

-- How much of the history keeps its documents; 0 and 0 is all of it.
ALTER TABLE settings ADD COLUMN keep_revisions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE settings ADD COLUMN keep_days INTEGER NOT NULL DEFAULT 0;
