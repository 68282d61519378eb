-- +goose Up
-- What commits did to schemas, beside what they did to configs.
CREATE TABLE schema_changes (
    id         INTEGER PRIMARY KEY,
    namespace  TEXT NOT NULL,
    revision   INTEGER NOT NULL,
    name       TEXT NOT NULL,
    op         TEXT NOT NULL CHECK (op IN ('put_schema', 'delete_schema')),
    media_type TEXT NOT NULL,
    etag       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    body       BLOB NOT NULL,
    FOREIGN KEY (namespace, revision) REFERENCES commits (namespace, revision)
) STRICT;

CREATE UNIQUE INDEX schema_changes_by_revision ON schema_changes (namespace, revision, name);
CREATE INDEX schema_changes_by_name ON schema_changes (namespace, name, revision);

-- The schemas that stand: what was deleted is in the history alone, since nobody
-- pulls a schema who could miss a tombstone.
CREATE TABLE schemas (
    namespace TEXT NOT NULL REFERENCES namespaces (name),
    name      TEXT NOT NULL,
    change_id INTEGER NOT NULL REFERENCES schema_changes (id),
    PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;
