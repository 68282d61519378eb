package schema

import (
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// same reports whether two values are one in the terms of JSON.
func same(a, b any) bool { return canonical(a) == canonical(b) }

// canonical writes a value so that equal ones, and no others, are written alike:
// 1.0 and 1e0 are 1, and members stand in the order of their names.
func canonical(value any) string {
	var text strings.Builder
	write(&text, value)
	return text.String()
}

func write(text *strings.Builder, value any) {
	switch value := value.(type) {
	case nil:
		text.WriteString("null")
	case bool:
		text.WriteString(strconv.FormatBool(value))
	case string:
		text.WriteString(strconv.Quote(value))
	case json.Number:
		number, _ := new(big.Rat).SetString(string(value)) // it was checked when it was read
		text.WriteString(number.RatString())
	case []any:
		text.WriteByte('[')
		for _, element := range value {
			write(text, element)
			text.WriteByte(',')
		}
		text.WriteByte(']')
	case map[string]any:
		text.WriteByte('{')
		for _, key := range slices.Sorted(maps.Keys(value)) {
			text.WriteString(strconv.Quote(key) + ":")
			write(text, value[key])
			text.WriteByte(',')
		}
		text.WriteByte('}')
	}
}
