package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// TestVerifyFindsEveryFlippedByte flips each byte of each row of a small store that
// is a commit's or the audit's, and puts it back. The row at fault is named.
func TestVerifyFindsEveryFlippedByte(t *testing.T) {
	v := emptyVault(t)
	v.ask("PUT", "/v1/namespaces/p/configs/limits", `{"rps":5}`)
	v.ask("PUT", "/v1/namespaces/p/schemas/limits", `{"type":"object"}`)
	v.propose("p")
	v.db.SetMaxOpenConns(1) // the one that these are set for
	for _, pragma := range []string{"ignore_check_constraints = ON", "synchronous = OFF"} {
		if _, err := v.db.ExecContext(t.Context(), "PRAGMA "+pragma); err != nil {
			t.Fatal(err)
		}
	}
	v.exec("UPDATE proposed_changes SET etag = '' WHERE op = 'delete'") // of what it would delete: nobody is told
	flips := 0
	for table, c := range map[string]struct {
		names   string // a regular expression
		columns []string
	}{
		"commits":          {`\bp\b`, []string{"namespace", "revision", "epoch", "at", "author", "message", "previous", "hash"}},
		"changes":          {`\bp\b`, []string{"namespace", "revision", "name", "op", "media_type", "etag", "body"}},
		"schema_changes":   {`\bp\b`, []string{"namespace", "revision", "name", "op", "media_type", "etag", "body"}},
		"proposals":        {`\bp\b`, []string{"namespace", "id", "epoch", "base", "strict", "forced", "at", "author", "message", "state"}},
		"proposed_changes": {`\bp\b`, []string{"namespace", "proposal", "name", "op", "media_type", "etag", "body"}},
		"namespaces":       {`\bp\b`, []string{"name", "revision", "head"}},
		"configs":          {`\bp\b`, []string{"namespace", "name", "change_id"}},
		"schemas":          {`\bp\b`, []string{"namespace", "name", "change_id"}},
		"audit":            {"audit ent", []string{"seq", "at", "actor", "token_id", "role", "action", "target", "outcome", "detail", "previous", "hash"}},
		"audit_head":       {"audit ent", []string{"seq", "hash"}},
	} {
		flips += v.flipAll(table, c.names, c.columns)
	}
	for _, column := range []string{"decided_at", "decider", "reason", "revision"} { // of one that was decided
		flips += v.flipColumn("proposals", column, "id", 1, `\bp\b`)
	}
	if said, err := v.verify(); err != nil {
		t.Error("it was put back:", err, said)
	}
	t.Log(flips, "bytes were flipped, one at a time")
}

// flipAll flips the bytes of a table's rows, by their columns, and returns how many.
func (v *vault) flipAll(table, names string, columns []string) (flips int) {
	v.t.Helper()
	rows := 0
	if err := v.db.QueryRowContext(v.t.Context(), "SELECT count(*) FROM "+table).Scan(&rows); err != nil || rows == 0 {
		v.t.Fatal(table, rows, err)
	}
	key := map[string]string{"commits": "hash", "audit": "hash", "proposals": "id", "namespaces": "name", "configs": "name", "schemas": "name"}[table]
	if key == "" {
		key = "rowid"
	}
	for _, row := range v.keys(table, key) {
		for _, column := range columns {
			flips += v.flipColumn(table, column, key, row, names)
		}
	}
	return flips
}

func (v *vault) keys(table, key string) (keys []any) {
	v.t.Helper()
	found, err := v.db.QueryContext(v.t.Context(), fmt.Sprintf("SELECT %s FROM %s", key, table))
	if err != nil {
		v.t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var k any
		if err := found.Scan(&k); err != nil {
			v.t.Fatal(err)
		}
		keys = append(keys, k)
	}
	if err := found.Err(); err != nil {
		v.t.Fatal(err)
	}
	return keys
}

func (v *vault) flipColumn(table, column, key string, row any, names string) int {
	v.t.Helper()
	var old any
	if err := v.db.QueryRowContext(v.t.Context(), fmt.Sprintf("SELECT %s FROM %s WHERE %s = ?", column, table, key), row).Scan(&old); err != nil {
		v.t.Fatal(err)
	}
	variants := flippedBytes(old)
	flips := 0
	for at, other := range variants {
		now := row // what finds the row once it is flipped
		if column == key {
			now = other
		}
		update := fmt.Sprintf("UPDATE %s SET %s = ? WHERE %s = ?", table, column, key)
		if _, err := v.db.ExecContext(v.t.Context(), update, other, row); err != nil {
			if !strings.Contains(err.Error(), "UNIQUE") { // then it is the key of another row, which the store does not take
				v.t.Fatal(update, err)
			}
			continue
		}
		flips++
		said, err := v.verify()
		if err == nil || !regexp.MustCompile(names).MatchString(said) {
			v.t.Errorf("byte %d of %s.%s, %v, was flipped: %v, and it says:\n%s", at, table, column, old, err, said)
		}
		v.exec(update, old, now)
	}
	return flips
}

// flippedBytes are the values that differ from this one in a bit of one byte.
func flippedBytes(value any) (all []any) {
	switch old := value.(type) {
	case int64:
		for at := range 8 {
			all = append(all, old^(1<<(8*at)))
		}
	case string:
		for at := range len(old) {
			all = append(all, old[:at]+string(rune(old[at]^1))+old[at+1:])
		}
	case []byte:
		for at := range old {
			other := bytes.Clone(old)
			other[at] ^= 1
			all = append(all, other)
		}
	}
	return all
}
