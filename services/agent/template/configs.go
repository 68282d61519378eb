package template

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/template"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
)

var errMissing = errors.New("no such config")

// A reference is a config as people write it: NAMESPACE/NAME.
type reference struct{ namespace, name config.Name }

func parseReference(s string) (r reference, err error) {
	namespace, name, ok := strings.Cut(s, "/")
	if !ok {
		return r, fmt.Errorf("%q: write NAMESPACE/NAME, as in web/limits", s)
	}
	if r.namespace, err = config.ParseName(namespace); err != nil {
		return r, err
	}
	r.name, err = config.ParseName(name)
	return r, err
}

func lookup(snapshots map[config.Name]*config.Snapshot, r reference) (config.Entry, error) {
	snapshot := snapshots[r.namespace]
	if snapshot == nil {
		return config.Entry{}, fmt.Errorf("%w: namespace %s is not there", errMissing, r.namespace)
	}
	entry, ok := snapshot.Config(r.name)
	if !ok {
		return config.Entry{}, fmt.Errorf("%w: %s/%s, in revision %d", errMissing, r.namespace, r.name, snapshot.Revision)
	}
	return entry, nil
}

// The functions of templates that look at configs. The names of configs stand in
// the template itself, so that it is known from the start what to follow.
const (
	functionConfig = "config" // the value: decoded JSON, YAML or TOML; else the text
	functionRaw    = "raw"    // the document as it was written
	functionExists = "exists" // whether there is one
	functionTick   = "herald_tick"
)

// bound are the functions that belong to one render.
func bound(ctx context.Context, snapshots map[config.Name]*config.Snapshot) template.FuncMap {
	find := func(name string) (config.Entry, error) {
		r, err := parseReference(name)
		if err != nil {
			return config.Entry{}, err
		}
		return lookup(snapshots, r)
	}
	return template.FuncMap{
		functionConfig: func(name string) (any, error) {
			entry, err := find(name)
			if err != nil {
				return nil, err
			}
			return decode(entry)
		},
		functionRaw: func(name string) (string, error) {
			entry, err := find(name)
			return string(entry.Body), err
		},
		functionExists: func(name string) (bool, error) {
			_, err := find(name)
			if errors.Is(err, errMissing) {
				return false, nil
			}
			return err == nil, err
		},
		functionTick: func() (string, error) { return "", context.Cause(ctx) },
	}
}

// decode returns what a document says. Whole numbers become int, so that templates
// can count and compare; what no machine number holds stays as it was written.
func decode(entry config.Entry) (any, error) {
	if kind := entry.Kind(); kind == config.Text || kind == config.Bytes {
		return string(entry.Body), nil
	}
	value, err := document.Value(entry.Document)
	if err != nil {
		return nil, fmt.Errorf("config %s: %w", entry.Name, err)
	}
	return numbers(value), nil
}

func numbers(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			value[key] = numbers(member)
		}
	case []any:
		for i, element := range value {
			value[i] = numbers(element)
		}
	case json.Number:
		if whole, err := strconv.Atoi(string(value)); err == nil {
			return whole
		}
		if f, err := value.Float64(); err == nil && strconv.FormatFloat(f, 'f', -1, 64) == string(value) {
			return f
		}
	}
	return value
}
