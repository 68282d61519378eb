package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
)

// A Set is schemas that stand beside each other, each compiled once it is asked
// for. It may be used by several goroutines.
type Set struct {
	documents map[config.Name]any
	refused   map[config.Name]error

	mu       sync.Mutex
	compiled map[config.Name]*Schema
}

// Read reads schemas. One that cannot be read is refused when it is asked for.
func Read(all map[config.Name][]byte) *Set {
	s := &Set{documents: map[config.Name]any{}, refused: map[config.Name]error{}, compiled: map[config.Name]*Schema{}}
	for name, body := range all {
		read, err := document.Value(config.Document{MediaType: "application/schema+json", Body: body})
		if err == nil {
			err = checkSize(read)
		}
		if err != nil {
			s.refused[name] = invalid(err)
			continue
		}
		s.documents[name] = read
	}
	return s
}

// Get returns the schema of that name, or an error as Compile does.
func (s *Set) Get(name config.Name) (*Schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.compiled[name]; ok {
		return known, nil
	}
	if err, ok := s.refused[name]; ok {
		return nil, err
	}
	made, err := s.compile(name)
	if err != nil {
		s.refused[name] = invalid(err)
		return nil, s.refused[name]
	}
	s.compiled[name] = made
	return made, nil
}

// Uses returns the names of the schemas that this one is made of, its own among
// them, or an error as Compile does.
func (s *Set) Uses(name config.Name) ([]config.Name, error) {
	found, err := s.Get(name)
	if err != nil {
		return nil, err
	}
	return found.Uses(), nil
}

// Check holds a document to the schema of that name. The error is one of Compile
// or of Schema.Check.
func (s *Set) Check(name config.Name, d config.Document) error {
	found, err := s.Get(name)
	if err != nil {
		return err
	}
	return found.Check(d)
}

func (s *Set) compile(name config.Name) (*Schema, error) {
	made := &Schema{meter: &meter{}}
	shelf := &shelf{documents: s.documents, used: map[config.Name]bool{}}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.AssertVocabs()
	compiler.UseLoader(shelf)
	compiler.UseRegexpEngine(made.meter.pattern)
	compiler.RegisterVocabulary(made.meter.vocabulary())
	made.meter.begin()
	var err error
	if made.compiled, err = made.meter.compile(compiler, home+string(name)); err != nil {
		return nil, err
	}
	made.uses = slices.Sorted(maps.Keys(shelf.used))
	return made, nil
}

// home is where schemas without an $id stand, so that they can refer to each other
// by name.
const home = "herald://schemas/"

// A shelf is where a compiler finds what a schema refers to. It notes what was used.
type shelf struct {
	documents map[config.Name]any
	used      map[config.Name]bool
}

// Load returns the schema at a URL.
func (s *shelf) Load(url string) (any, error) {
	if name, ok := strings.CutPrefix(url, home); ok {
		found, stands := s.documents[config.Name(name)]
		if !stands {
			return nil, fmt.Errorf("no schema %q is stored in this namespace", name)
		}
		s.used[config.Name(name)] = true
		return found, nil
	}
	var found []config.Name
	for _, name := range slices.Sorted(maps.Keys(s.documents)) {
		if idOf(s.documents[name]) == url {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("nothing is fetched from elsewhere, and no schema with the $id %s is stored in this namespace", url)
	}
	for _, name := range found {
		s.used[name] = true
	}
	return s.documents[found[0]], s.agree(found)
}

// agree refuses an $id that stands for different schemas.
func (s *shelf) agree(names []config.Name) error {
	for _, name := range names[1:] {
		if !same(s.documents[names[0]], s.documents[name]) {
			return fmt.Errorf("the schemas %s and %s have the same $id, and differ", names[0], name)
		}
	}
	return nil
}

// idOf is the address by which a schema calls itself, "" where it does not.
func idOf(schema any) string {
	object, _ := schema.(map[string]any)
	for _, key := range []string{"$id", "id"} {
		if id, ok := object[key].(string); ok {
			id, _, _ = strings.Cut(id, "#")
			return id
		}
	}
	return ""
}
