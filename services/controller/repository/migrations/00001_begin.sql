-- +goose Up
CREATE TABLE store (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE namespaces (
    name       TEXT PRIMARY KEY,
    revision   INTEGER NOT NULL CHECK (revision > 0),
    head       BLOB NOT NULL CHECK (length(head) = 32),
    updated_at INTEGER NOT NULL -- times are Unix milliseconds
) STRICT, WITHOUT ROWID;

CREATE TABLE commits (
    namespace TEXT NOT NULL REFERENCES namespaces (name),
    revision  INTEGER NOT NULL CHECK (revision > 0),
    epoch     TEXT NOT NULL,
    at        INTEGER NOT NULL,
    author    TEXT NOT NULL,
    message   TEXT NOT NULL,
    previous  BLOB NOT NULL CHECK (length(previous) = 32),
    hash      BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (namespace, revision)
) STRICT, WITHOUT ROWID;

-- A document is stored once, in the change that brought it. The body stands last,
-- so that reading what is before it does not read the body's pages.
CREATE TABLE changes (
    id         INTEGER PRIMARY KEY,
    namespace  TEXT NOT NULL,
    revision   INTEGER NOT NULL,
    name       TEXT NOT NULL,
    op         TEXT NOT NULL CHECK (op IN ('put', 'delete')),
    media_type TEXT NOT NULL,
    etag       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    body       BLOB NOT NULL,
    FOREIGN KEY (namespace, revision) REFERENCES commits (namespace, revision)
) STRICT;

CREATE UNIQUE INDEX changes_by_revision ON changes (namespace, revision, name);
CREATE INDEX changes_by_name ON changes (namespace, name, revision);

-- The newest change of each name, tombstones too.
CREATE TABLE configs (
    namespace TEXT NOT NULL REFERENCES namespaces (name),
    name      TEXT NOT NULL,
    change_id INTEGER NOT NULL REFERENCES changes (id),
    PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT, so that an ID is never used again once its row is dropped.
CREATE TABLE outbox (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL,
    epoch     TEXT NOT NULL,
    revision  INTEGER NOT NULL
) STRICT;

CREATE TABLE agents (
    id          TEXT PRIMARY KEY,
    hostname    TEXT NOT NULL,
    labels      TEXT NOT NULL, -- JSON, as the three below
    version     TEXT NOT NULL,
    namespaces  TEXT NOT NULL,
    assigned    TEXT NOT NULL,
    fetched     TEXT NOT NULL,
    interval_ms INTEGER NOT NULL, -- 0 is the controller's
    last_seen   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE standings (
    namespace         TEXT NOT NULL,
    worker            TEXT NOT NULL,
    agent             TEXT NOT NULL,
    running_epoch     TEXT NOT NULL, -- '' where it runs on nothing
    running_revision  INTEGER NOT NULL,
    running_at        INTEGER NOT NULL,
    rejected_epoch    TEXT NOT NULL, -- '' where it rejected nothing
    rejected_revision INTEGER NOT NULL,
    rejected_at       INTEGER NOT NULL,
    code              TEXT NOT NULL,
    message           TEXT NOT NULL,
    last_seen         INTEGER NOT NULL,
    PRIMARY KEY (namespace, worker)
) STRICT, WITHOUT ROWID;
