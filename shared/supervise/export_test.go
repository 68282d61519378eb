//go:build unix

package supervise

import "strings"

// Env is a variable of the program that stands fast.
func Env(s *Supervisor, name string) string {
	for _, variable := range s.program.Env {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value
		}
	}
	return ""
}
