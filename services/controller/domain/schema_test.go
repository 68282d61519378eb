package domain_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

func schemaOf(name config.Name, body string) domain.Change {
	return domain.Change{Op: domain.PutSchema, Name: name, Document: config.Document{MediaType: "application/schema+json", Body: []byte(body)}}
}

// revised makes a commit that must be made, and returns where it leads.
func revised(t *testing.T, now domain.Namespace, p domain.Proposal) (domain.Namespace, domain.Commit) {
	t.Helper()
	made, err := domain.Revise(now, p, time.UnixMilli(1))
	if err != nil {
		t.Fatal(err)
	}
	return now.After(made), made
}

func TestASchemaIsAChangeLikeAnyOther(t *testing.T) {
	now := domain.Namespace{Name: "payments", Position: config.Position{Epoch: "01E"}}
	now, first := revised(t, now, domain.Proposal{Schemas: []domain.Change{schemaOf("limits", `{}`)}})
	if !first.Changed() || first.Revision != 1 || !first.Schemas[0].Creates || len(now.Configs) != 0 || now.Schemas["limits"].Revision != 1 {
		t.Errorf("%+v %+v", first, now)
	}
	again, same := revised(t, now, domain.Proposal{Schemas: []domain.Change{schemaOf("limits", `{}`)}})
	if same.Changed() || same.Revision != 1 || again.Schemas["limits"].ETag != now.Schemas["limits"].ETag {
		t.Errorf("what changes nothing makes no revision: %+v", same)
	}
	now, second := revised(t, now, domain.Proposal{
		Schemas: []domain.Change{schemaOf("other", `true`), {Op: domain.DeleteSchema, Name: "limits"}},
		Changes: []domain.Change{{Op: domain.Put, Name: "limits", Document: config.Document{MediaType: "application/json", Body: []byte(`1`)}}},
	})
	if _, stands := now.Schemas["limits"]; stands || len(now.Schemas) != 1 || len(now.Configs) != 1 || second.Previous != first.Hash {
		t.Errorf("%+v %+v", second, now)
	}
	listed, err := json.Marshal(second)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`{"op":"put","name":"limits","etag":`, `{"op":"delete_schema","name":"limits"}`, `{"op":"put_schema","name":"other","etag":`} {
		if !strings.Contains(string(listed), want) {
			t.Errorf("%s does not list %s", listed, want)
		}
	}
}

// TestASchemaEntersTheHash: not a byte of a schema, nor that it is one, can be
// changed without the hash telling.
func TestASchemaEntersTheHash(t *testing.T) {
	made := domain.Commit{Namespace: "payments", Schemas: []domain.Change{schemaOf("limits", `{}`)}}
	sums := map[domain.Hash]string{}
	for name, c := range map[string]domain.Commit{
		"as it is":        made,
		"another byte":    {Namespace: "payments", Schemas: []domain.Change{schemaOf("limits", `{ }`)}},
		"another name":    {Namespace: "payments", Schemas: []domain.Change{schemaOf("limit", `{}`)}},
		"a config":        {Namespace: "payments", Changes: []domain.Change{{Op: domain.Put, Name: "limits", Document: made.Schemas[0].Document}}},
		"deleted instead": {Namespace: "payments", Schemas: []domain.Change{{Op: domain.DeleteSchema, Name: "limits"}}},
		"nothing":         {Namespace: "payments"},
	} {
		if other, taken := sums[c.Sum()]; taken {
			t.Errorf("%s has the hash of %s", name, other)
		}
		sums[c.Sum()] = name
	}
}

func TestSchemaRefusals(t *testing.T) {
	now := domain.Namespace{Name: "payments", Position: config.Position{Epoch: "01E", Revision: 3}}
	now, _ = revised(t, now, domain.Proposal{Schemas: []domain.Change{schemaOf("limits", `{}`)}})
	tags := &domain.Tags{List: []config.ETag{"other"}}
	for name, c := range map[string]struct {
		proposal domain.Proposal
		want     error
	}{
		"twice":         {domain.Proposal{Schemas: []domain.Change{schemaOf("a", `1`), schemaOf("a", `2`)}}, domain.ErrEmptyCommit},
		"nothing":       {domain.Proposal{}, domain.ErrEmptyCommit},
		"not there":     {domain.Proposal{Schemas: []domain.Change{{Op: domain.DeleteSchema, Name: "a"}}}, domain.ErrNotFound},
		"too large":     {domain.Proposal{Schemas: []domain.Change{schemaOf("a", strings.Repeat(" ", config.MaxDocument+1))}}, domain.ErrTooLarge},
		"another's":     {domain.Proposal{Schemas: []domain.Change{schemaOf("limits", `true`)}, Match: &domain.Condition{IfMatch: tags}}, domain.ErrPrecondition},
		"there already": {domain.Proposal{Schemas: []domain.Change{schemaOf("limits", `true`)}, Match: &domain.Condition{IfNoneMatch: &domain.Tags{Any: true}}}, domain.ErrPrecondition},
	} {
		if _, err := domain.Revise(now, c.proposal, time.Now()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var full domain.Proposal
	for i := range 9 {
		full.Schemas = append(full.Schemas, schemaOf(config.Name("s"+string(rune('0'+i))), strings.Repeat(" ", config.MaxDocument)))
	}
	if _, err := domain.Revise(now, full, time.Now()); !errors.Is(err, domain.ErrTooLarge) {
		t.Errorf("more bytes of schemas than a namespace may have: %v", err)
	}
}

func TestChecksRefuse(t *testing.T) {
	refusal := errors.New("no")
	asked := 0
	p := domain.Proposal{
		Changes: []domain.Change{{Op: domain.Put, Name: "limits", Document: config.Document{MediaType: "application/json", Body: []byte(`1`)}}},
		Checks: []domain.Check{func(now domain.Namespace, made domain.Commit) error {
			if asked++; now.Revision != 0 || made.Revision != 1 {
				t.Errorf("%+v %+v", now, made)
			}
			return refusal
		}},
	}
	now := domain.Namespace{Name: "payments", Position: config.Position{Epoch: "01E"}}
	if _, err := domain.Revise(now, p, time.Now()); !errors.Is(err, refusal) || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	p.Checks[0] = func(domain.Namespace, domain.Commit) error { return nil }
	now, _ = revised(t, now, p)
	p.Checks[0] = func(domain.Namespace, domain.Commit) error { return refusal }
	if _, err := domain.Revise(now, p, time.Now()); err != nil {
		t.Errorf("what changes nothing is not checked: %v", err)
	}
}
