-- +goose Up
-- When a worker or an agent said goodbye, in milliseconds; 0 while it has not.
ALTER TABLE standings ADD COLUMN stopped_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agents ADD COLUMN stopped_at INTEGER NOT NULL DEFAULT 0;

-- When a worker's newest verdict was made, by its own clock: a goodbye from before
-- it comes late.
ALTER TABLE standings ADD COLUMN said INTEGER NOT NULL DEFAULT 0;
