package handler_test

import (
	"testing"

	"github.com/heraldconf/herald/shared/config"
)

// TestSnapshotsAreSigned: what is pulled verifies with the keys that are listed,
// before a rotation and after; a single config bears no signature, since it is of
// other bytes.
func TestSnapshotsAreSigned(t *testing.T) {
	s := newGuardedSite(t)
	keys := func(a answer) config.Keys {
		t.Helper()
		keys, err := config.ParseKeys(a.Body.Bytes())
		if err == nil {
			err = keys.Chained()
		}
		if err != nil {
			t.Fatalf("%v: %s", err, a.Body)
		}
		return keys
	}
	signed := func(known config.Keys, by string) {
		t.Helper()
		a := s.ask("GET", "/v1/namespaces/payments/snapshot", "", as(adminToken)).expect(200)
		snapshot, err := config.Open(a.Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if snapshot.Signature, err = config.ParseSignature(a.Header().Get("Herald-Signature")); err != nil {
			t.Fatal(err)
		}
		if err := snapshot.Verify(known); err != nil || snapshot.Signature.KeyID != by {
			t.Errorf("signed by %s, want %s: %v", snapshot.Signature.KeyID, by, err)
		}
	}
	s.ask("PUT", "/v1/namespaces/payments/configs/limits", `1`, as(adminToken)).expect(201)
	first := keys(s.ask("GET", "/v1/signing-keys", "").expect(200)) // which is open
	signed(first, first[0].ID)
	rotated := keys(s.ask("POST", "/v1/signing-keys", "", as(adminToken)).expect(201))
	if listed := keys(s.ask("GET", "/v1/signing-keys", "").expect(200)); len(listed) != 2 || listed[0].ID != rotated[0].ID || listed[1].ID != first[0].ID {
		t.Errorf("%+v", listed)
	}
	signed(rotated, first[0].ID) // once, and so by the former key
	s.ask("PUT", "/v1/namespaces/payments/configs/limits", `2`, as(adminToken)).expect(200)
	signed(rotated, rotated[0].ID)
	if got := s.ask("GET", "/v1/namespaces/payments/configs/limits", "", as(adminToken)).expect(200).Header().Get("Herald-Signature"); got != "" {
		t.Errorf("a single config came with the signature of the snapshot: %s", got)
	}
	s.ask("GET", "/v1/audit", "", as(adminToken)).expect(200, `"action":"signing-key.rotate"`, rotated[0].ID)
}

// TestARotationIsRepeatedOnce: with an Idempotency-Key a retry makes no second key.
func TestARotationIsRepeatedOnce(t *testing.T) {
	s := newSite(t)
	once := s.ask("POST", "/v1/signing-keys", "", "Idempotency-Key: k").expect(201).Body.String()
	again := s.ask("POST", "/v1/signing-keys", "", "Idempotency-Key: k").expect(201).Body.String()
	if once != again || s.ask("GET", "/v1/signing-keys", "").Body.String() != once {
		t.Errorf("%s\n%s", once, again)
	}
}
