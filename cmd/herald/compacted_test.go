package main

import (
	"strings"
	"testing"
)

// TestVerifyGoesThroughACompaction: the chain holds without the documents, and what
// is left of them is held to it.
func TestVerifyGoesThroughACompaction(t *testing.T) {
	v := newVault(t)
	v.ask("PUT", "/v1/namespaces/payments/configs/limits", `{"rps":60}`)
	v.ask("PUT", "/v1/namespaces/payments/schemas/limits", `{}`)
	v.ask("POST", "/v1/namespaces/payments/compact", `{"keep_revisions":1}`)
	if said, err := v.verify(); err != nil {
		t.Fatal(err, said)
	}
	for _, table := range []string{"changes", "schema_changes"} {
		v.flipped(table, "dropped", "dropped IS NOT NULL AND name", "limits")
	}
	v.flipped("changes", "body", "dropped IS NULL AND revision = 2 AND namespace || name", "paymentsmotd")
	if said, err := v.verify(); err != nil {
		t.Error("it was put back:", err, said)
	}
}

// TestVerifyMissesTheEntryOfACompaction: a document that is dropped without a word
// is named.
func TestVerifyMissesTheEntryOfACompaction(t *testing.T) {
	v := newVault(t)
	v.ask("PUT", "/v1/namespaces/payments/configs/limits", `{"rps":60}`)
	v.ask("POST", "/v1/namespaces/payments/compact", `{"keep_revisions":1}`)
	v.exec("UPDATE changes SET dropped = (SELECT dropped FROM changes WHERE dropped IS NOT NULL LIMIT 1), body = x'' WHERE namespace = 'payments' AND name = 'motd'")
	said, err := v.verify()
	if err == nil || !strings.Contains(said, "revision 2 of payments was changed") {
		t.Errorf("%v: %s", err, said)
	}
	v.exec("UPDATE changes SET dropped = (SELECT dropped FROM changes WHERE dropped IS NOT NULL LIMIT 1), body = x'' WHERE namespace = 'team'")
	if said, _ = v.verify(); !strings.Contains(said, "documents of revision 1 of team were dropped, and no audit entry tells of it") {
		t.Errorf("%s", said)
	}
}
