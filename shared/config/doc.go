// Package config is the vocabulary of Herald as pure types: names, revisions,
// documents, snapshots, ETags, verdicts. It knows how a snapshot is written as
// bytes and which one may follow which. It knows no HTTP, files, SQL or bus.
package config
