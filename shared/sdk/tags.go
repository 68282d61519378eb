package sdk

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/heraldconf/herald/shared/config"
)

// A field is one of a struct that is filled with a config.
type field struct {
	index    int
	name     config.Name
	optional bool
}

// byTags lets the fields of T be filled by their tags. It fails if T is no struct
// whose tags make sense.
func (w *whole[T]) byTags(initial T) error {
	fields, err := fieldsOf(reflect.TypeFor[T]())
	if err != nil {
		return err
	}
	w.only = map[config.Name]bool{}
	for _, f := range fields {
		w.only[f.name] = true
	}
	w.build = func(configs Configs) (T, error) {
		value := initial
		into := reflect.ValueOf(&value).Elem()
		for _, f := range fields {
			if _, ok := configs.Get(f.name); !ok && f.optional {
				continue
			}
			fresh := reflect.New(into.Field(f.index).Type()) // what Default points to is not written to
			if err := configs.Decode(f.name, fresh.Interface()); err != nil {
				return value, err
			}
			into.Field(f.index).Set(fresh.Elem())
		}
		return value, nil
	}
	return nil
}

func fieldsOf(of reflect.Type) ([]field, error) {
	if of.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%s is no struct; say with Build how it is made", of)
	}
	var fields []field
	taken := map[config.Name]bool{}
	for i := range of.NumField() {
		tag, ok := of.Field(i).Tag.Lookup("herald")
		if !ok {
			continue
		}
		f, err := parseTag(tag)
		switch {
		case err != nil:
			return nil, fmt.Errorf("field %s: %w", of.Field(i).Name, err)
		case !of.Field(i).IsExported():
			return nil, fmt.Errorf("field %s has a tag and is not exported", of.Field(i).Name)
		case taken[f.name]:
			return nil, fmt.Errorf("field %s: the config %s has a field already", of.Field(i).Name, f.name)
		}
		f.index, taken[f.name] = i, true
		fields = append(fields, f)
	}
	if len(fields) == 0 {
		return nil, errors.New(`no field has a tag, as in herald:"limits"; or say with Build how the value is made`)
	}
	return fields, nil
}

// parseTag reads NAME or NAME,optional.
func parseTag(tag string) (field, error) {
	before, after, more := strings.Cut(tag, ",")
	name, err := config.ParseName(before)
	if err == nil && more && after != "optional" {
		err = fmt.Errorf(`tag %q: after the name comes "optional" or nothing`, tag)
	}
	return field{name: name, optional: more}, err
}
