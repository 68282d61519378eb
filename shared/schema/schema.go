// Package schema holds documents to JSON Schemas: drafts 4, 6, 7, 2019-09 and
// 2020-12, formats asserted. A schema and what it may refer to are given as bytes:
// nothing is fetched, from anywhere. What a schema can cost is bounded, whoever
// wrote it. The package knows no store and no HTTP.
package schema

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
)

// Why a schema or a document is refused.
var (
	// ErrInvalid means that a schema is none, or refers to what is not there.
	ErrInvalid = errors.New("invalid schema")
	// ErrViolated means that a document does not meet its schema.
	ErrViolated = errors.New("against its schema")
)

// A Schema is one that was compiled. It may be used by several goroutines.
type Schema struct {
	compiled *jsonschema.Schema
	uses     []config.Name

	mu    sync.Mutex // of the meter, which one document at a time runs up
	meter *meter
}

// home is where schemas without an $id stand, so that they can refer to each other
// by name.
const home = "herald://schemas/"

// Compile compiles the schema of that name out of those that stand beside each
// other. A $ref leads to another by its $id or its name. The error wraps
// ErrInvalid, and is a *config.FaultyDocument where it can name places.
func Compile(name config.Name, all map[config.Name][]byte) (*Schema, error) {
	s := &Schema{meter: &meter{}}
	shelf := &shelf{documents: map[config.Name]any{}, used: map[config.Name]bool{}}
	for each, body := range all {
		read, err := document.Value(config.Document{MediaType: "application/schema+json", Body: body})
		if err == nil {
			err = checkSize(read)
		}
		if err != nil && each == name {
			return nil, invalid(err)
		}
		if err == nil {
			shelf.documents[each] = read
		}
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.AssertVocabs()
	compiler.UseLoader(shelf)
	compiler.UseRegexpEngine(s.meter.pattern)
	compiler.RegisterVocabulary(s.meter.vocabulary())
	var err error
	s.meter.begin()
	if s.compiled, err = s.meter.compile(compiler, home+string(name)); err != nil {
		return nil, invalid(err)
	}
	s.uses = slices.Sorted(maps.Keys(shelf.used))
	return s, nil
}

// Uses are the names of the schemas that this one was made of, its own among them.
func (s *Schema) Uses() []config.Name { return s.uses }

// Check returns nil for a document that meets the schema by its meaning in JSON,
// whether it is written as that, as YAML or as TOML. Otherwise the error is a
// *config.FaultyDocument that wraps ErrViolated and names the places.
func (s *Schema) Check(d config.Document) error {
	value, err := document.Value(d)
	if faulty, ok := errors.AsType[*config.FaultyDocument](err); ok {
		return &config.FaultyDocument{Err: ErrViolated, Faults: describe(faulty)}
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meter.begin()
	err = s.meter.validate(s.compiled, value)
	if err == nil {
		return nil
	}
	if violations, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		return &config.FaultyDocument{Err: ErrViolated, Faults: faultsOf(violations)}
	}
	return &config.FaultyDocument{Err: ErrViolated, Faults: []config.Fault{{Message: err.Error()}}}
}

// describe tells a document without a meaning from one that means the wrong thing.
func describe(faulty *config.FaultyDocument) []config.Fault {
	faults := slices.Clone(faulty.Faults)
	for i := range faults {
		faults[i].Message = faulty.Err.Error() + ": " + faults[i].Message
	}
	return faults
}

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
