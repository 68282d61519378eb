-- +goose Up
-- What a namespace's operators set for it; one without a row has the defaults.
CREATE TABLE settings (
    namespace       TEXT PRIMARY KEY REFERENCES namespaces (name),
    guard_empty     INTEGER NOT NULL,
    guard_configs   INTEGER NOT NULL,
    deleted_percent INTEGER NOT NULL,
    kept_percent    INTEGER NOT NULL,
    frozen_until    INTEGER NOT NULL, -- 0 where it is not frozen
    reason          TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Answers to writes that came with an Idempotency-Key.
CREATE TABLE receipts (
    actor   TEXT NOT NULL, -- the ID of the token that asked, '' without one
    method  TEXT NOT NULL,
    path    TEXT NOT NULL,
    key     TEXT NOT NULL,
    request BLOB NOT NULL CHECK (length(request) = 32),
    answer  BLOB NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (actor, method, path, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX receipts_by_age ON receipts (at);
