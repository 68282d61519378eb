// Package template says what files an agent makes, and makes their content: it
// reads the operator's YAML file and the templates that it names, and renders them
// with configs. What it renders depends on the configs and the template alone, and
// is bounded in time and size. It writes nothing and runs nothing.
package template

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

// maxRender is how long a template may take: a loop over what a config says could
// be of any length.
const maxRender = 5 * time.Second

// A Set is the files of a YAML file, and how each is made.
type Set struct {
	files   []domain.File
	recipes map[string]recipe // by path
}

// A recipe makes the content of one file: a template, or else one document.
type recipe struct {
	document reference
	template *template.Template
	facts    Facts
}

// A Facts is what a template may ask of the agent: {{ .Agent }}, {{ .Labels.zone }}.
type Facts struct {
	Agent  string
	Labels map[string]string
	File   string // the path of the file that is made
}

// Files are those that are to be made, in the order in which they stand.
func (s *Set) Files() []domain.File { return slices.Clone(s.files) }

// Render returns what is to stand at a path.
func (s *Set) Render(ctx context.Context, to string, snapshots map[config.Name]*config.Snapshot) ([]byte, error) {
	r, ok := s.recipes[to]
	if !ok {
		return nil, fmt.Errorf("no file %s is made here", to)
	}
	if r.template == nil {
		entry, err := lookup(snapshots, r.document)
		if err != nil {
			return nil, refusal(err)
		}
		return entry.Body, nil
	}
	return r.render(ctx, snapshots)
}

func (r recipe) render(ctx context.Context, snapshots map[config.Name]*config.Snapshot) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, maxRender, fmt.Errorf("it takes longer than %v", maxRender))
	defer cancel()
	t, err := r.template.Clone() // the functions of one render are no other's
	if err != nil {
		return nil, refusal(err)
	}
	out := &bounded{}
	if err := t.Funcs(bound(ctx, snapshots)).Execute(out, r.facts); err != nil {
		return nil, refusal(err)
	}
	return out.Bytes(), nil
}

// refusal is an error as a verdict tells it.
func refusal(err error) error {
	code := domain.CodeRender
	if errors.Is(err, errMissing) {
		code = domain.CodeMissing
	}
	return domain.Refused(code, strings.TrimPrefix(err.Error(), "template: "))
}

// bounded takes as many bytes as a file may have.
type bounded struct{ bytes.Buffer }

// Write fails once there are more.
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > domain.MaxFileSize {
		return 0, fmt.Errorf("it makes more than %d bytes", domain.MaxFileSize)
	}
	return b.Buffer.Write(p)
}
