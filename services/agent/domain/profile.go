package domain

import (
	"fmt"
	"strings"

	"github.com/heraldconf/herald/shared/config"
)

// A Profile is what an agent tells of itself when it registers.
type Profile struct {
	ID         string            `json:"id"`
	Hostname   string            `json:"hostname"`
	Labels     map[string]string `json:"labels"`
	Version    string            `json:"version"`
	Namespaces []config.Name     `json:"namespaces"`
}

// ParseLabels reads labels as an operator writes them: zone=a, role=web.
func ParseLabels(pairs []string) (map[string]string, error) {
	labels := map[string]string{}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || key == "" || len(pair) > 256 {
			return nil, fmt.Errorf("label %q: write KEY=VALUE, as in zone=a", pair)
		}
		if _, doubled := labels[key]; doubled {
			return nil, fmt.Errorf("label %q is given twice", key)
		}
		labels[key] = value
	}
	if len(labels) > 64 {
		return nil, fmt.Errorf("%d labels: 64 at most", len(labels))
	}
	return labels, nil
}
