package handler

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
	"github.com/heraldconf/herald/shared/httpapi"
)

// maxCommit bounds the body of a commit: a full namespace, with what base64 and
// the escapes of JSON add to it.
const maxCommit = 24 << 20

// A proposal is the body of POST /v1/namespaces/{ns}/commits.
type proposal struct {
	Message string           `json:"message"`
	Base    *config.Revision `json:"base_revision"`
	Changes []proposedChange `json:"changes"`
}

type proposedChange struct {
	Op        domain.Op       `json:"op"`
	Name      string          `json:"name"`
	MediaType string          `json:"mediaType"`
	Value     json.RawMessage `json:"value"` // kept byte for byte
	Text      *string         `json:"text"`
	Base64    *string         `json:"base64"`
}

// postCommit answers POST /v1/namespaces/{ns}/commits: 201 for a revision that is
// new, 200 if nothing changes.
func (h *Handler) postCommit(w http.ResponseWriter, r *http.Request) error {
	namespace, err := namespaceOf(r)
	if err != nil {
		return err
	}
	p, err := readProposal(w, r)
	if err != nil {
		return err
	}
	return h.commit(w, r, namespace, p, h.Configs.Commit, func(commit domain.Commit) outcome {
		as := outcome{status: http.StatusOK}
		if commit.Changed() {
			as.status = http.StatusCreated
		}
		as.name, as.etag = only(p.Changes, commit)
		return as
	})
}

// readProposal reads the body of a commit, and checks the documents in it.
func readProposal(w http.ResponseWriter, r *http.Request) (domain.Proposal, error) {
	var asked proposal
	if err := httpapi.ReadJSON(w, r, maxCommit, &asked); err != nil {
		return domain.Proposal{}, err
	}
	p := domain.Proposal{Message: asked.Message, Base: asked.Base}
	for i, change := range asked.Changes {
		read, err := change.read()
		if err != nil {
			return p, fmt.Errorf("change %d: %w", i+1, err)
		}
		p.Changes = append(p.Changes, read)
	}
	return p, nil
}

// only returns the one config that a commit is about, or nothing.
func only(asked []domain.Change, commit domain.Commit) (config.Name, config.ETag) {
	switch {
	case len(asked) != 1:
		return "", ""
	case asked[0].Op == domain.Delete:
		return asked[0].Name, commit.Changes[0].ETag
	}
	return asked[0].Name, asked[0].Document.ETag()
}

// read returns the change that is proposed, its document checked.
func (c proposedChange) read() (domain.Change, error) {
	name, err := config.ParseName(c.Name)
	if err != nil {
		return domain.Change{}, err
	}
	change := domain.Change{Op: c.Op, Name: name}
	switch c.Op {
	case domain.Delete:
		if c.forms() > 0 || c.MediaType != "" {
			return change, httpapi.Invalid("a deletion of " + c.Name + " brings a document along: leave it out, or put it")
		}
		return change, nil
	case domain.Put:
		if change.Document, err = c.document(); err != nil {
			return change, err
		}
		if err := document.Check(change.Document); err != nil {
			return change, fmt.Errorf("%s: %w", c.Name, err)
		}
		return change, nil
	}
	return change, httpapi.Invalid("op is put or delete, not " + fmt.Sprintf("%.20q", string(c.Op)))
}

// forms counts in how many ways the document is there.
func (c proposedChange) forms() int {
	n := 0
	for _, there := range []bool{c.Value != nil, c.Text != nil, c.Base64 != nil} {
		if there {
			n++
		}
	}
	return n
}

func (c proposedChange) document() (d config.Document, err error) {
	if c.forms() != 1 {
		return d, httpapi.Invalid(c.Name + " needs its document as value, text or base64, and as one of them alone")
	}
	switch {
	case c.Value != nil:
		d = config.Document{MediaType: "application/json", Body: bytes.Clone(c.Value)}
	case c.Text != nil:
		d = config.Document{MediaType: "text/plain", Body: []byte(*c.Text)}
	default:
		d.MediaType = "application/octet-stream"
		if d.Body, err = base64.StdEncoding.DecodeString(*c.Base64); err != nil {
			return d, httpapi.Invalid(c.Name + ": " + err.Error())
		}
	}
	if c.MediaType != "" {
		if d.MediaType, err = config.NormalMediaType(c.MediaType); err != nil {
			return d, err
		}
	}
	if c.Value != nil && d.Kind() != config.JSON {
		return d, httpapi.Invalid(c.Name + ": value is for JSON; a document of " + d.MediaType + " comes as text or base64")
	}
	return d, nil
}
