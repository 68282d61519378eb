package document

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// tomlValue returns what a checked TOML document says.
func tomlValue(body []byte) (any, error) {
	table := map[string]any{}
	if err := toml.Unmarshal(body, &table); err != nil {
		return nil, faulty(ErrInvalidTOML, strings.TrimPrefix(err.Error(), "toml: "))
	}
	return ofTOML(table, nil)
}

// ofTOML puts a value of the TOML library in the terms of JSON.
func ofTOML(value any, path []string) (any, error) {
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			read, err := ofTOML(member, append(path, key))
			if err != nil {
				return nil, err
			}
			value[key] = read
		}
		return value, nil
	case []any:
		for i, element := range value {
			read, err := ofTOML(element, append(path, strconv.Itoa(i)))
			if err != nil {
				return nil, err
			}
			value[i] = read
		}
		return value, nil
	case int64:
		return json.Number(strconv.FormatInt(value, 10)), nil
	case float64:
		if math.IsInf(value, 0) || math.IsNaN(value) {
			return nil, meaningless(path, "inf and nan are no numbers of JSON")
		}
		return json.Number(strconv.FormatFloat(value, 'g', -1, 64)), nil
	case time.Time:
		return value.Format(time.RFC3339Nano), nil
	case string, bool:
		return value, nil
	}
	return fmt.Sprint(value), nil // a local date or time
}
