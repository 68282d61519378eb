package usecase_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

var errUnmet = errors.New("unmet")

// A fakeSet is schemas of a few words: a document meets one if it has each word, and
// "@name" refers to another.
type fakeSet struct {
	all map[config.Name][]byte
}

func (s fakeSet) Uses(name config.Name) ([]config.Name, error) {
	uses := []config.Name{name}
	for word := range strings.FieldsSeq(string(s.all[name])) {
		if other, ok := strings.CutPrefix(word, "@"); ok {
			if s.all[config.Name(other)] == nil {
				return nil, errors.New("no schema " + other)
			}
			uses = append(uses, config.Name(other))
		}
	}
	return uses, nil
}

func (s fakeSet) Check(name config.Name, d config.Document) error {
	uses, err := s.Uses(name)
	if err != nil {
		return err
	}
	for _, each := range uses {
		for word := range strings.FieldsSeq(string(s.all[each])) {
			if !strings.HasPrefix(word, "@") && !strings.Contains(string(d.Body), word) {
				return &config.FaultyDocument{Err: errUnmet, Faults: []config.Fault{{Path: "/" + word, Message: "is missing"}}}
			}
		}
	}
	return nil
}

// A held is configs that are held to schemas, on a real store.
type held struct {
	*usecase.Configs
	t     *testing.T
	reads int
}

func newHeld(t *testing.T) *held {
	t.Helper()
	h := &held{t: t}
	h.Configs, _ = hold(t, straight, func(all map[config.Name][]byte) usecase.SchemaSet {
		h.reads++
		return fakeSet{all: all}
	})
	return h
}

// try commits configs and, with a "#" before their name, schemas: "name=text", or
// "name" alone to delete. It returns which places a refusal names, or its text.
func (h *held) try(force bool, changes ...string) string {
	h.t.Helper()
	p := domain.Proposal{Force: force}
	for _, text := range changes {
		name, body, put := strings.Cut(text, "=")
		name, schema := strings.CutPrefix(name, "#")
		change := domain.Change{Op: domain.Put, Name: config.Name(name), Document: config.Document{MediaType: "text/plain", Body: []byte(body)}}
		switch {
		case schema && put:
			change.Op = domain.PutSchema
		case schema:
			change = domain.Change{Op: domain.DeleteSchema, Name: change.Name}
		case !put:
			change = domain.Change{Op: domain.Delete, Name: change.Name}
		}
		if schema {
			p.Schemas = append(p.Schemas, change)
		} else {
			p.Changes = append(p.Changes, change)
		}
	}
	_, err := h.Commit(context.Background(), "payments", p)
	if faulty, ok := errors.AsType[*config.FaultyDocument](err); ok && errors.Is(err, errUnmet) {
		var places []string
		for _, fault := range faulty.Faults {
			places = append(places, string(fault.Config)+fault.Path)
		}
		slices.Sort(places)
		return strings.Join(places, " ")
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestCommitsAreHeldToSchemas(t *testing.T) {
	h := newHeld(t)
	for _, c := range []struct {
		why     string
		force   bool
		changes []string
		want    string
	}{
		{"without a schema anything goes", false, []string{"limits=x"}, ""},
		{"what stands does not meet it", false, []string{"#limits=rps"}, "limits/rps"},
		{"on purpose", true, []string{"#limits=rps"}, ""},
		{"a config against it", false, []string{"limits=y"}, "limits/rps"},
		{"force is no way around", true, []string{"limits=y"}, "limits/rps"},
		{"a config that meets it", false, []string{"limits=rps"}, ""},
		{"another name is free", false, []string{"motd=hello"}, ""},
		{"each config is named", false, []string{"#motd=hello", "limits=y", "motd=ho"}, "limits/rps motd/hello"},
		{"both at once", false, []string{"#limits=burst", "limits=burst"}, ""},
		{"a reference to nothing", false, []string{"#limits=@nothing"}, "schema payments/limits: no schema nothing"},
		{"a schema alone", false, []string{"#shared=burst"}, ""},
		{"a reference", false, []string{"#limits=@shared"}, ""},
		{"through a reference", false, []string{"#shared=more"}, "limits/more"},
		{"what is referred to stays", false, []string{"#shared"}, "schema payments/limits, which stands, would not any more: no schema shared"},
		{"not even on purpose", true, []string{"#shared"}, "schema payments/limits, which stands, would not any more: no schema shared"},
		{"deleted, it holds nothing", false, []string{"#limits", "limits=free"}, ""},
		{"a config that goes meets nothing", false, []string{"#motd=hello"}, ""},
		{"deleting a config", true, []string{"motd"}, ""},
	} {
		if got := h.try(c.force, c.changes...); got != c.want {
			t.Fatalf("%s: got %q, want %q", c.why, got, c.want)
		}
	}
}

func TestSchemasAreReadOnce(t *testing.T) {
	h := newHeld(t)
	h.try(false, "#limits=rps")
	before := h.reads
	for _, body := range []string{"rps 1", "rps 2", "no", "rps 3"} {
		h.try(false, "limits="+body)
	}
	if h.reads != before+1 {
		t.Errorf("%d reads for four commits", h.reads-before)
	}
	h.try(false, "motd=hello")
	if h.reads != before+1 {
		t.Error("a config without a schema reads schemas")
	}
	h.try(false, "#limits=burst", "limits=burst")
	if got := h.try(false, "limits=rps"); got != "limits/burst" {
		t.Errorf("an old schema is asked: %q", got)
	}
}

func TestADryRunIsHeldToSchemas(t *testing.T) {
	h := newHeld(t)
	h.try(false, "#limits=rps")
	dry := put("limits", `1`)
	dry.DryRun = true
	if _, err := h.Commit(t.Context(), "payments", dry); !errors.Is(err, errUnmet) {
		t.Errorf("%v", err)
	}
	dry = domain.Proposal{DryRun: true, Schemas: []domain.Change{{Op: domain.PutSchema, Name: "limits", Document: config.Document{Body: []byte("burst")}}}}
	if made, err := h.Commit(t.Context(), "payments", dry); err != nil || made.Revision != 2 {
		t.Errorf("%+v %v", made, err)
	}
	if got := h.try(false, "limits=rps"); got != "" {
		t.Errorf("a dry run left its schema behind: %q", got)
	}
}
