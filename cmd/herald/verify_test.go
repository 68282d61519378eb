package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/shared/settings"
)

const testAdmin = "an-admin-of-these-tests"

// A vault is a controller with something in its history, and its database.
type vault struct {
	t   *testing.T
	url string
	db  *sql.DB
}

func emptyVault(t *testing.T) *vault {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "c.db")
	s := run(func(ctx context.Context) error {
		return controller.Run(ctx, controller.Config{
			DB: path, PollInterval: 15 * time.Second, Version: "test", Listener: listener, AdminToken: settings.Secret(testAdmin),
		}, slog.New(slog.DiscardHandler))
	})
	v := &vault{t: t, url: "http://" + listener.Addr().String()}
	t.Cleanup(func() {
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
	if v.db, err = sql.Open("sqlite3", path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.db.Close() })
	return v
}

// newVault has some of everything.
func newVault(t *testing.T) *vault {
	t.Helper()
	v := emptyVault(t)
	v.ask("PUT", "/v1/namespaces/payments/configs/limits", ` {"rps": 50, "é<": [ ]} `)
	v.ask("POST", "/v1/namespaces/payments/commits", `{"message":"größer & <besser>","changes":[{"op":"put","name":"motd","text":"hi\n"},{"op":"put","name":"key","base64":"AP8="},{"op":"put","name":"none","value":null}]}`)
	v.ask("DELETE", "/v1/namespaces/payments/configs/key", "")
	v.ask("PUT", "/v1/namespaces/payments/schemas/limits", `{"type":"object"}`)
	v.ask("PUT", "/v1/namespaces/team/configs/a", `1`)
	v.ask("POST", "/v1/tokens", `{"name":"r","role":"reader"}`)
	return v
}

func (v *vault) ask(method, path, body string) { v.askAs(testAdmin, method, path, body) }

// askAs is ask with another token. It returns what is answered.
func (v *vault) askAs(token, method, path, body string) []byte {
	v.t.Helper()
	request, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(answer.Body)
	if answer.StatusCode/100 != 2 {
		v.t.Fatalf("%s %s: %s", method, path, said)
	}
	return said
}

// propose makes three proposals in a namespace: one is approved, two are open. One
// of those puts nothing.
func (v *vault) propose(namespace string) {
	v.t.Helper()
	var made struct{ Token string }
	said := v.askAs(testAdmin, "POST", "/v1/tokens", `{"name":"alice","role":"publisher"}`)
	if err := json.Unmarshal(said, &made); err != nil || made.Token == "" {
		v.t.Fatal(err, string(said))
	}
	proposals := "/v1/namespaces/" + namespace + "/proposals"
	v.askAs(made.Token, "POST", proposals, `{"message":"m","changes":[{"op":"put","name":"limits","value":{"rps":6}}]}`)
	v.ask("POST", proposals+"/1/approve", `{"message":"ok"}`)
	v.askAs(made.Token, "POST", proposals, `{"changes":[{"op":"put","name":"new","text":"hi"}]}`)
	v.askAs(made.Token, "POST", proposals, `{"message":"away","changes":[{"op":"delete","name":"limits"}]}`)
}

// verify returns what herald audit --verify finds, one line each.
func (v *vault) verify() (string, error) {
	cmd := root()
	var out, failed bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&failed)
	cmd.SetArgs([]string{"audit", "--verify", "--server", v.url, "--token", testAdmin})
	err := settings.Execute(v.t.Context(), cmd)
	return failed.String(), err
}

func (v *vault) exec(statement string, args ...any) {
	v.t.Helper()
	result, err := v.db.ExecContext(v.t.Context(), statement, args...)
	if err != nil {
		v.t.Fatalf("%s: %v", statement, err)
	}
	if n, _ := result.RowsAffected(); n == 0 {
		v.t.Fatalf("%s: no row", statement)
	}
}

// flip returns another value of the same kind, one bit of it off.
func flip(value any) any {
	switch old := value.(type) {
	case int64:
		return old ^ 1
	case string:
		if old == "" {
			return "x"
		}
		return old[:len(old)-1] + string(rune(old[len(old)-1]^1))
	case []byte:
		flipped := append(bytes.Clone(old), 0)[:max(len(old), 1)]
		flipped[0] ^= 1
		return flipped
	}
	return nil
}

// TestVerifyFindsEveryChangedColumn changes each column of each row that tells of a
// commit or is of the audit, and puts it back.
func TestVerifyFindsEveryChangedColumn(t *testing.T) {
	v := newVault(t)
	if said, err := v.verify(); err != nil {
		t.Fatal(err, said)
	}
	for table, columns := range map[string][]string{
		"commits":        {"epoch", "at", "author", "message", "previous", "hash"},
		"changes":        {"name", "media_type", "etag", "body"},
		"schema_changes": {"name", "media_type", "etag", "body"},
		"audit":          {"at", "actor", "token_id", "role", "action", "target", "outcome", "detail", "previous", "hash"},
		"audit_head":     {"seq", "hash"},
	} {
		where := "rowid"
		if table == "commits" { // it has none
			where = "namespace || revision"
		}
		for _, row := range v.rows(table, where) {
			for _, column := range columns {
				v.flipped(table, column, where, row)
			}
		}
	}
	if said, err := v.verify(); err != nil {
		t.Error("it was put back:", err, said)
	}
}

func (v *vault) rows(table, where string) (rows []any) {
	v.t.Helper()
	condition := ""
	if strings.HasSuffix(table, "changes") {
		condition = " WHERE op LIKE 'put%'" // a deletion has neither document nor ETag
	}
	found, err := v.db.QueryContext(v.t.Context(), "SELECT "+where+" FROM "+table+condition)
	if err != nil {
		v.t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var row any
		if err := found.Scan(&row); err != nil {
			v.t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if err := found.Err(); err != nil {
		v.t.Fatal(err)
	}
	if len(rows) == 0 {
		v.t.Fatalf("%s is empty", table)
	}
	return rows
}

func (v *vault) flipped(table, column, where string, row any) {
	v.t.Helper()
	var old any
	if err := v.db.QueryRowContext(v.t.Context(), fmt.Sprintf("SELECT %s FROM %s WHERE %s = ?", column, table, where), row).Scan(&old); err != nil {
		v.t.Fatal(err)
	}
	update := fmt.Sprintf("UPDATE %s SET %s = ? WHERE %s = ?", table, column, where)
	v.exec(update, flip(old), row)
	said, err := v.verify()
	if err == nil || strings.TrimSpace(said) == "" {
		v.t.Errorf("%s.%s of row %v was changed from %q, and nobody noticed", table, column, row, old)
	}
	v.exec(update, old, row)
}

// TestVerifyNamesWhatIsWrong: a row that is missing, swapped or rewritten is named.
func TestVerifyNamesWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		does []string
		says string
	}{
		"a changed entry":           {[]string{"UPDATE audit SET actor = 'mallory' WHERE seq = 3"}, "audit entry 3 (mallory commit payments@3) was changed"},
		"a missing entry":           {[]string{"DELETE FROM audit WHERE seq = 3"}, "audit entry 3 is missing"},
		"missing entries":           {[]string{"DELETE FROM audit WHERE seq IN (3, 4)"}, "audit entries 3 to 4 are missing"},
		"the newest cut off":        {[]string{"DELETE FROM audit WHERE seq > 4"}, "audit entries 5 to 6 are missing"},
		"the oldest cut off":        {[]string{"DELETE FROM audit WHERE seq < 3"}, "audit entries 1 to 2 are missing"},
		"none left":                 {[]string{"DELETE FROM audit"}, "audit entries 1 to 6 are missing"},
		"two swapped":               {[]string{"UPDATE audit SET seq = 99 WHERE seq = 2", "UPDATE audit SET seq = 2 WHERE seq = 3", "UPDATE audit SET seq = 3 WHERE seq = 99"}, "audit entry 3 (admin commit payments@2) was changed"},
		"a changed commit":          {[]string{"UPDATE commits SET author = 'mallory' WHERE namespace = 'payments' AND revision = 2"}, "revision 2 of payments was changed"},
		"a missing commit":          {[]string{"DELETE FROM commits WHERE namespace = 'payments' AND revision = 2"}, "revision 2 of payments is missing"},
		"two commits swapped":       {[]string{"UPDATE commits SET revision = 99 WHERE namespace = 'payments' AND revision = 2", "UPDATE commits SET revision = 2 WHERE namespace = 'payments' AND revision = 3", "UPDATE commits SET revision = 3 WHERE namespace = 'payments' AND revision = 99"}, "revision 2 of payments was changed"},
		"a change left out":         {[]string{"DELETE FROM changes WHERE name = 'motd'"}, "revision 2 of payments was changed"},
		"a change slipped in":       {[]string{"INSERT INTO changes (namespace, revision, name, op, media_type, etag, size, body) VALUES ('team', 1, 'b', 'delete', '', '', 0, x'')"}, "revision 1 of team was changed"},
		"a namespace put back":      {[]string{"UPDATE namespaces SET revision = 2 WHERE name = 'payments'"}, "the audit tells of revision 4 of payments, which stands at 2"},
		"a namespace gone":          {[]string{"DELETE FROM namespaces WHERE name = 'team'"}, "the audit tells of the namespace team, which is not there"},
		"a commit nobody told of":   {[]string{"UPDATE namespaces SET revision = 2 WHERE name = 'team'", "INSERT INTO commits SELECT namespace, 2, epoch, at, author, message, hash, hash FROM commits WHERE namespace = 'team'"}, "no audit entry tells of revision 2 of team"},
		"a commit of another chain": {[]string{"UPDATE commits SET previous = zeroblob(32) WHERE namespace = 'payments' AND revision = 3"}, "revision 2 of payments is not the one that revision 3 was made on"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVault(t)
			for _, statement := range c.does {
				v.exec(statement)
			}
			if said, err := v.verify(); err == nil || exitCode(err) != settings.ExitFailed || !strings.Contains(said, c.says) {
				t.Errorf("%v, and it says:\n%s", err, said)
			}
		})
	}
}

// TestVerifyNamesWhatNobodyAgreedTo: what stands, waits and was decided is what the
// history and the audit tell of.
func TestVerifyNamesWhatNobodyAgreedTo(t *testing.T) {
	for name, c := range map[string]struct{ does, says string }{
		"an approver":               {"UPDATE proposals SET decider = 'mallory' WHERE id = 1", "revision 2 of team is another than the audit tells of"},
		"a decision":                {"UPDATE proposals SET reason = 'no' WHERE id = 1", "proposal team#1 was decided otherwise, as the audit tells (admin proposal.approve)"},
		"what waits":                {"UPDATE proposed_changes SET body = x'686f' WHERE proposal = 2", "proposal team#2 is another than the audit tells of"},
		"a proposal that is gone":   {"DELETE FROM proposals WHERE id = 2", "proposal team#2 is missing"},
		"one that nobody made":      {"UPDATE proposals SET id = 9 WHERE id = 2", "no audit entry tells of proposal team#9"},
		"one that nobody rejected":  {"UPDATE proposals SET state = 'rejected', decided_at = 1 WHERE id = 2", "proposal team#2 is rejected, and no audit entry tells of it"},
		"an approval taken back":    {"UPDATE proposals SET state = 'open' WHERE id = 1", "proposal team#1 is another than the audit tells of"},
		"a pointer to a former one": {"UPDATE configs SET change_id = (SELECT id FROM changes WHERE namespace = 'team' AND revision = 1) WHERE namespace = 'team'", "the config team/limits that stands is another than the history tells of"},
		"a revision out of reach":   {"UPDATE namespaces SET revision = 1000000000 WHERE name = 'team'", "revisions 3 to 999999999 of team are missing"},
	} {
		t.Run(name, func(t *testing.T) {
			v := emptyVault(t)
			v.ask("PUT", "/v1/namespaces/team/configs/limits", `{"rps":5}`)
			v.propose("team")
			if said, err := v.verify(); err != nil {
				t.Fatal(err, said)
			}
			v.exec(c.does)
			if said, err := v.verify(); err == nil || exitCode(err) != settings.ExitFailed || !strings.Contains(said, c.says) {
				t.Errorf("%v, and it says:\n%s", err, said)
			}
		})
	}
}
