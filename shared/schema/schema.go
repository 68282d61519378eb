// Package schema holds documents to JSON Schemas: drafts 4, 6, 7, 2019-09 and
// 2020-12, formats asserted. A schema and what it may refer to are given as bytes:
// nothing is fetched, from anywhere. What a schema can cost is bounded, whoever
// wrote it. The package knows no store and no HTTP.
package schema

import (
	"errors"
	"slices"
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

// Compile compiles the schema of that name out of those that stand beside each
// other. A $ref leads to another by its $id or its name. The error wraps
// ErrInvalid, and is a *config.FaultyDocument that names places where it can.
func Compile(name config.Name, all map[config.Name][]byte) (*Schema, error) {
	return Read(all).Get(name)
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
