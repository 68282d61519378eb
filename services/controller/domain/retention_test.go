package domain_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

func TestKeptFrom(t *testing.T) {
	for _, c := range []struct {
		keep                domain.Retention
		newest, stood, want config.Revision
	}{
		{domain.Retention{}, 50, 50, 1},
		{domain.Retention{Revisions: 1}, 50, 3, 50},
		{domain.Retention{Revisions: 10}, 50, 3, 41},
		{domain.Retention{Revisions: 50}, 50, 3, 1},
		{domain.Retention{Revisions: 99}, 50, 3, 1},
		{domain.Retention{Days: 1}, 50, 50, 50},
		{domain.Retention{Days: 1}, 50, 0, 1},
		{domain.Retention{Revisions: 10, Days: 1}, 50, 30, 30},
		{domain.Retention{Revisions: 10, Days: 1}, 50, 45, 41},
	} {
		if got := c.keep.KeptFrom(c.newest, c.stood); got != c.want {
			t.Errorf("%+v of %d, %d of which stood then: kept from %d, want %d", c.keep, c.newest, c.stood, got, c.want)
		}
	}
}

// TestSumWithoutTheDocument: a commit verifies by the digest of what was dropped, and
// by no other.
func TestSumWithoutTheDocument(t *testing.T) {
	document := config.Document{MediaType: "application/json", Body: []byte("1")}
	c := domain.Commit{Namespace: "payments", Changes: []domain.Change{{Op: domain.Put, Name: "limits", Document: document}}}
	want := c.Sum()
	digest := config.DigestOf(document.Body)
	c.Changes[0].Body, c.Changes[0].Dropped = nil, &digest
	if c.Sum() != want || !errors.Is(c.Whole(), domain.ErrCompacted) {
		t.Error("the commit is another without its document")
	}
	digest[0] ^= 1
	if c.Sum() == want {
		t.Error("the digest is no part of the commit")
	}
}

func TestCompactionIsTold(t *testing.T) {
	var all domain.Compaction
	for i := range 3 {
		part := domain.Compaction{Namespace: "payments", KeptFrom: 200}
		for n := range 50 {
			part.Add(domain.Dropped{Revision: config.Revision(1 + i*50 + n), Op: domain.Put, Name: "limits", Size: 2})
		}
		all.Join(part)
	}
	e := all.Entry(domain.Retention{Revisions: 7}, domain.Anonymous, time.Now())
	if all.Documents != 150 || all.Bytes != 300 || len(all.Dropped) != domain.MaxDropped || e.Target != "payments@150" ||
		!strings.HasPrefix(e.Detail, "dropped 150 documents, 300 bytes; all since revision 200 is kept (keep_revisions 7, keep_days 0): limits@1 limits@2 ") ||
		!strings.HasSuffix(e.Detail, " limits@20 and 130 more") {
		t.Errorf("%+v", e)
	}
}

func TestRetentionIsChecked(t *testing.T) {
	for keep, ok := range map[domain.Retention]bool{{}: true, {Revisions: 1, Days: 1}: true, {Revisions: -1}: false, {Days: -1}: false, {Days: 36_501}: false} {
		s := domain.DefaultSettings
		s.Retention = keep
		if err := s.Check(time.Now()); (err == nil) != ok || (err != nil && !errors.Is(err, domain.ErrInvalidSettings)) {
			t.Errorf("%v: %v", fmt.Sprint(keep), err)
		}
	}
}
