-- +goose Up
-- Whether commits to a namespace wait for the approval of another token.
ALTER TABLE settings ADD COLUMN protected INTEGER NOT NULL DEFAULT 0;

-- What waits, or waited, for an approval. A namespace need not be written yet.
CREATE TABLE proposals (
    namespace     TEXT NOT NULL,
    id            INTEGER NOT NULL CHECK (id > 0), -- 1, 2, 3 … in its namespace, never used again
    epoch         TEXT NOT NULL,
    base          INTEGER NOT NULL, -- the revision that it was checked against
    strict        INTEGER NOT NULL,
    forced        INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    author        TEXT NOT NULL,
    author_token  TEXT NOT NULL,
    author_role   TEXT NOT NULL,
    message       TEXT NOT NULL,
    bytes         INTEGER NOT NULL, -- of its documents that are still there
    state         TEXT NOT NULL CHECK (state IN ('open', 'approved', 'rejected', 'withdrawn')),
    decided_at    INTEGER NOT NULL, -- this and all below: 0 or '' while it is open
    decider       TEXT NOT NULL,
    decider_token TEXT NOT NULL,
    decider_role  TEXT NOT NULL,
    reason        TEXT NOT NULL,
    revision      INTEGER NOT NULL, -- that its approval made
    PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX proposals_open ON proposals (namespace, id) WHERE state = 'open';
CREATE UNIQUE INDEX proposals_by_revision ON proposals (namespace, revision, epoch) WHERE state = 'approved';

-- What a proposal would change. The documents of one that was approved are in the
-- history, and not here any more.
CREATE TABLE proposed_changes (
    id         INTEGER PRIMARY KEY,
    namespace  TEXT NOT NULL,
    proposal   INTEGER NOT NULL,
    name       TEXT NOT NULL,
    op         TEXT NOT NULL CHECK (op IN ('put', 'delete', 'put_schema', 'delete_schema')),
    creates    INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    etag       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    body       BLOB NOT NULL,
    FOREIGN KEY (namespace, proposal) REFERENCES proposals (namespace, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX proposed_changes_by_proposal ON proposed_changes (namespace, proposal, id);
