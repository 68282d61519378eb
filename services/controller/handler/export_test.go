package handler

import (
	"maps"
	"slices"

	"github.com/heraldconf/herald/services/controller/domain"
)

// Patterns are those of all routes, for the tests that walk them.
func Patterns() []string {
	patterns := []string{"GET /metrics"}
	for _, r := range (&Handler{}).routes() {
		patterns = append(patterns, r.pattern)
	}
	return patterns
}

// Switches are the parameters that a write takes.
func Switches(pattern string) []string { return switches[pattern] }

// Granted says who may use a route, by its line in the table of access.
func Granted(pattern string) (may func(domain.Role) bool, open, ok bool) {
	line, ok := access[pattern]
	return func(role domain.Role) bool {
		return line.open || role == domain.Admin || slices.Contains(line.roles, role)
	}, line.open, ok
}

// GrantedPatterns are the lines of the table of access.
func GrantedPatterns() []string { return slices.Sorted(maps.Keys(access)) }
