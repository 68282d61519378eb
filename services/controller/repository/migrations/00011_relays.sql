-- +goose Up
-- The agent above it that passed its registration on; '' for none.
ALTER TABLE agents ADD COLUMN via TEXT NOT NULL DEFAULT '';
