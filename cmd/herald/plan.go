package main

import (
	"fmt"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
)

// A change is one line of a commit, as the controller takes it.
type change struct {
	Op        string      `json:"op"`
	Name      config.Name `json:"name"`
	MediaType string      `json:"mediaType,omitempty"`
	Text      *string     `json:"text,omitempty"`
	Base64    []byte      `json:"base64,omitempty"`

	mark string // how it is shown: + added, ~ changed, - removed
	file string // where it comes from
}

// A plan is what makes a namespace equal to a folder.
type plan struct {
	changes                 []change
	added, changed, removed int
	unlisted                []config.Name // what the folder lacks and the namespace keeps
}

// planOf compares a folder with what stands; held is nil where nothing was
// written yet. With prune, what the folder lacks is deleted.
func planOf(held *config.Snapshot, files []file, prune bool) plan {
	var p plan
	listed := map[config.Name]bool{}
	for _, f := range files {
		listed[f.name] = true
		p.put(held, f)
	}
	if held == nil {
		return p
	}
	for _, e := range held.Configs {
		switch {
		case listed[e.Name]:
		case prune:
			p.removed++
			p.changes = append(p.changes, change{Op: "delete", Name: e.Name, mark: "-"})
		default:
			p.unlisted = append(p.unlisted, e.Name)
		}
	}
	return p
}

func (p *plan) put(held *config.Snapshot, f file) {
	var standing config.Entry
	stands := false
	if held != nil {
		standing, stands = held.Config(f.name)
	}
	wanted := config.Document{MediaType: mediaTypeOf(f.path, f.body), Body: f.body}
	if stands {
		wanted.MediaType = mediaTypeOver(standing.MediaType, f.path, f.body)
	}
	switch {
	case !stands:
		p.added++
		p.changes = append(p.changes, putChange(f, wanted, "+"))
	case wanted.ETag() != standing.ETag:
		p.changed++
		p.changes = append(p.changes, putChange(f, wanted, "~"))
	}
}

// putChange carries JSON as text too, so that the white space around it stays.
func putChange(f file, d config.Document, mark string) change {
	c := change{Op: "put", Name: f.name, MediaType: d.MediaType, mark: mark, file: f.path}
	if utf8.Valid(d.Body) {
		c.Text = new(string(d.Body))
	} else {
		c.Base64 = d.Body
	}
	return c
}

func (p plan) String() string {
	return fmt.Sprintf("%d added, %d changed, %d removed", p.added, p.changed, p.removed)
}

// A commitRequest is several changes that are made at once.
type commitRequest struct {
	Message string           `json:"message,omitempty"`
	Base    *config.Revision `json:"base_revision,omitempty"` // nil for any
	Changes []change         `json:"changes"`
}

// sources are the documents that it would write.
func (r commitRequest) sources() sources {
	sent := sources{}
	for _, c := range r.Changes {
		d := config.Document{MediaType: c.MediaType, Body: c.Base64}
		if c.Text != nil {
			d.Body = []byte(*c.Text)
		}
		if c.file != "" {
			sent[c.Name] = source{c.file, d}
		}
	}
	return sent
}

// send asks for a commit, or for a proposal of one, and reports what became of it.
func (t *tool) send(
	cmd *cobra.Command, c *client.Client, w *writing, path string, namespace config.Name, request commitRequest, line func(client.Written) string,
) error {
	answer, err := w.post(cmd, c, path, request)
	if err != nil {
		return request.sources().place(cmd, c, namespace, err)
	}
	return t.report(cmd, c, w, namespace, answer, line)
}

// sentence says in words what writing the plan did.
func (p plan) sentence(done client.Written) string {
	if !done.Changed {
		return fmt.Sprintf("%s unchanged, at revision %d", done.Namespace, done.Revision)
	}
	return fmt.Sprintf("%s written, revision %d: %s", done.Namespace, done.Revision, p)
}
