-- +goose Up
-- What an agent refuses of its namespaces, and whether an operator lets it through: JSON.
ALTER TABLE agents ADD COLUMN refused TEXT NOT NULL DEFAULT '{}';
