package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"

	"github.com/heraldconf/herald/services/agent/domain"
)

// fromSprig are the functions of that library which templates may use: those that
// touch nothing, neither the environment nor the network nor the clock, and say the
// same each time. None changes a value in place, from which a mapping could come
// that holds itself. An alias is given where the plain name hides errors.
var fromSprig = map[string]string{
	"fromJson": "mustFromJson", "toJson": "mustToJson", "toPrettyJson": "mustToPrettyJson", "toRawJson": "mustToRawJson",
	"first": "mustFirst", "last": "mustLast", "rest": "mustRest", "initial": "mustInitial", "append": "mustAppend",
	"prepend": "mustPrepend", "reverse": "mustReverse", "uniq": "mustUniq", "without": "mustWithout", "has": "mustHas",
	"compact": "mustCompact", "slice": "mustSlice",
	"regexMatch": "mustRegexMatch", "regexFind": "mustRegexFind", "regexReplaceAll": "mustRegexReplaceAll",
}

// alike are those that keep their name.
const alike = `
	trim trimAll trimSuffix trimPrefix upper lower title untitle substr trunc abbrev nospace contains hasPrefix hasSuffix
	quote squote cat snakecase camelcase kebabcase toString toStrings splitList sortAlpha
	atoi int int64 float64 add add1 sub div mod mul max min floor ceil round
	default empty coalesce all any ternary fail
	list concat dict get hasKey pick omit pluck dig
	b64enc b64dec sha256sum base dir ext clean isAbs
	regexQuoteMeta kindOf kindIs semver semverCompare urlParse urlJoin`

// functions are all that templates may use beside those of text/template and those
// of bound.
func functions() template.FuncMap {
	all, theirs := template.FuncMap{}, sprig.TxtFuncMap()
	for name := range strings.FieldsSeq(alike) {
		all[name] = theirs[name]
	}
	for name, alias := range fromSprig {
		all[name] = theirs[alias]
	}
	maps.Copy(all, template.FuncMap{
		"repeat": repeat, "until": until, "indent": indent, "nindent": nindent, "replace": replace, "join": join,
		"keys": keys,
	})
	return all
}

// fits refuses what would be larger than a file may be before it is made: counts
// may come from a config.
func fits(count, size int) error {
	if count > 0 && size > 0 && count > domain.MaxFileSize/size {
		return fmt.Errorf("%d times %d bytes: a file has %d at most", count, size, domain.MaxFileSize)
	}
	return nil
}

func repeat(count int, s string) (string, error) {
	if err := fits(count, len(s)); err != nil {
		return "", err
	}
	return strings.Repeat(s, max(count, 0)), nil
}

func indent(spaces int, s string) (string, error) {
	if err := fits(strings.Count(s, "\n")+1, max(spaces, 0)); err != nil {
		return "", err
	}
	pad := strings.Repeat(" ", max(spaces, 0))
	return pad + strings.ReplaceAll(s, "\n", "\n"+pad), nil
}

func nindent(spaces int, s string) (string, error) {
	s, err := indent(spaces, s)
	return "\n" + s, err
}

func replace(old, next, s string) (string, error) {
	if err := fits(strings.Count(s, old), len(next)); err != nil {
		return "", err
	}
	return strings.ReplaceAll(s, old, next), nil
}

// maxUntil is how far until counts.
const maxUntil = 1 << 16

func until(count int) ([]int, error) {
	if count > maxUntil {
		return nil, fmt.Errorf("until counts to %d at most", maxUntil)
	}
	numbers := make([]int, max(count, 0))
	for i := range numbers {
		numbers[i] = i
	}
	return numbers, nil
}

func join(separator string, list any) (string, error) {
	toStrings, _ := sprig.TxtFuncMap()["toStrings"].(func(any) []string) // a test sees that it is there
	parts := toStrings(list)
	size := 0
	for _, part := range parts {
		size += len(part) + len(separator)
	}
	if err := fits(1, size); err != nil {
		return "", err
	}
	return strings.Join(parts, separator), nil
}

// keys are those of a mapping, in order: Go's own order changes each time.
func keys(of map[string]any) []string { return slices.Sorted(maps.Keys(of)) }
