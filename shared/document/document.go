// Package document checks what a config may hold: JSON, YAML and TOML for their
// syntax, text for UTF-8, anything else not at all. A document is looked at and
// never changed. The package knows no schema, no store and no HTTP.
package document

import (
	"errors"
	"unicode/utf8"

	"github.com/heraldconf/herald/shared/config"
)

// Why a document is refused, beside config.ErrInvalidJSON.
var (
	ErrInvalidYAML = errors.New("invalid YAML")
	ErrInvalidTOML = errors.New("invalid TOML")
	ErrInvalidText = errors.New("invalid text")
)

// Check returns nil for a document that is what its media type says. Otherwise the
// error is a *config.FaultyDocument that wraps config.ErrInvalidJSON,
// ErrInvalidYAML, ErrInvalidTOML or ErrInvalidText and says where, as far as that
// is known.
func Check(d config.Document) error {
	switch d.Kind() {
	case config.JSON:
		return config.CheckJSON(d.Body)
	case config.YAML:
		return checkYAML(d.Body)
	case config.TOML:
		return checkTOML(d.Body)
	case config.Text:
		if !utf8.Valid(d.Body) {
			return faulty(ErrInvalidText, "not UTF-8; send bytes as application/octet-stream")
		}
	}
	return nil
}

func faulty(sentinel error, message string) error {
	return &config.FaultyDocument{Err: sentinel, Faults: []config.Fault{{Message: message}}}
}
