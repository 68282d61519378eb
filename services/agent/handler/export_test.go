package handler

// Patterns are those of all routes, for the tests that walk them.
func Patterns() []string {
	var patterns []string
	for _, r := range (&Handler{}).routes() {
		patterns = append(patterns, r.pattern)
	}
	return patterns
}

// Nowhere is a disk that holds nothing.
type Nowhere = nowhere
