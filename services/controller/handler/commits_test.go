package handler

import (
	"bytes"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
	"github.com/heraldconf/herald/shared/httpapi"
)

// FuzzCommit reads any body as a commit: it is refused as a mistake of who sent
// it, or is a proposal of which a commit can be made, with a snapshot that opens.
func FuzzCommit(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `[]`, `{}`, `{"changes":[]}`, `{"changes":null}`, `{"CHANGES":[]}`,
		`{"message":"begin","base_revision":0,"changes":[{"op":"put","name":"limits","value": {"rps": 1.0,  "b":[ ]} },{"op":"put","name":"motd","text":"hi\n"}]}`,
		`{"changes":[{"op":"put","name":"key","base64":"AP8="},{"op":"delete","name":"old"}]}`,
		`{"changes":[{"op":"put","name":"a","mediaType":"application/yaml","text":"a: &x [1]\nb: *x\n"}]}`,
		`{"changes":[{"op":"put","name":"a","mediaType":"application/toml","text":"a = 1979-05-27"}]}`,
		`{"changes":[{"op":"put","name":"a","value":null},{"op":"put","name":"a","value":1e999}]}`,
		`{"base_revision":-1,"changes":[{"op":"put","name":"a","value":"\ud800"}]}`,
		`{"changes":[{"op":"put","name":"../a","mediaType":"text/plain; charset=latin1","text":"\u0000"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/namespaces/payments/commits", bytes.NewReader(body))
		p, err := readProposal(httptest.NewRecorder(), r)
		if err != nil {
			blame(t, err)
			return
		}
		for _, change := range p.Changes {
			if _, err := config.ParseName(string(change.Name)); err != nil {
				t.Fatal(err)
			}
			if change.Op == domain.Put && document.Check(change.Document) != nil {
				t.Fatalf("taken: %q as %s", change.Body, change.MediaType)
			}
		}
		commit, err := domain.Revise(domain.Namespace{Name: "payments"}, p, time.Now())
		if err != nil {
			blame(t, err)
			return
		}
		var entries []config.Entry
		for _, change := range commit.Changes {
			entries = append(entries, config.Entry{Name: change.Name, Revision: commit.Revision, Document: change.Document})
		}
		sealed := config.Seal("payments", config.Position{Epoch: "01A", Revision: 1}, entries, nil)
		if _, err := config.Open(sealed.Body); err != nil {
			t.Fatalf("a snapshot that nobody can open, %v: %q", err, sealed.Body)
		}
	})
}

// blame fails for an error that would be answered as one of the server's own.
func blame(t *testing.T, err error) {
	t.Helper()
	if problem := httpapi.ProblemOf(statuses, err); problem.Status >= 500 {
		t.Fatalf("the server takes the blame for %v", err)
	}
}
