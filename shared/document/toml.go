package document

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// checkTOML returns nil for a TOML document (version 1.0), in which no key is
// defined twice.
func checkTOML(body []byte) error {
	var value map[string]any
	err := toml.Unmarshal(body, &value)
	if err == nil {
		return nil
	}
	message := strings.TrimPrefix(err.Error(), "toml: ")
	if at, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, column := at.Position()
		message += fmt.Sprintf(", line %d, column %d", row, column)
	}
	return faulty(ErrInvalidTOML, message)
}
