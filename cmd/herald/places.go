package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
	"github.com/heraldconf/herald/shared/httpapi"
)

// hasCode reports whether the server answered with a problem of that code.
func hasCode(err error, code string) bool {
	problem, ok := errors.AsType[*httpapi.Problem](err)
	return ok && problem.Code == code
}

// A source is a document that was sent, and what it is called on this side.
type source struct {
	path string
	config.Document
}

// standardInput is what it is called where a file would be named.
const standardInput = "standard input"

// calledOf is what a document is called that comes from there.
func calledOf(path string) string {
	if path == "-" {
		return standardInput
	}
	return path
}

// sources are documents by the names of their configs; "" is the only one.
type sources map[config.Name]source

// sourceOf is the only document of a command.
func sourceOf(path, mediaType string, body []byte) sources {
	if normal, err := config.NormalMediaType(mediaType); err == nil {
		mediaType = normal
	}
	return sources{"": {calledOf(path), config.Document{MediaType: mediaType, Body: body}}}
}

// of is the document that a fault is about. A config that was not sent is one that
// stands, and is fetched; what cannot be fetched has no lines.
func (s sources) of(cmd *cobra.Command, c *client.Client, namespace config.Name, fault config.Fault) source {
	if only, ok := s[""]; ok {
		return only
	}
	if sent, ok := s[fault.Config]; ok {
		return sent
	}
	standing := source{path: string(namespace) + "/" + string(fault.Config)}
	if fault.Config == "" {
		return standing
	}
	answer, err := c.Do(cmd.Context(), client.Request{Path: client.ConfigPath(namespace, fault.Config)})
	if err == nil {
		standing.Document = config.Document{MediaType: mediaTypeIn(answer.Header), Body: answer.Body}
	}
	s[fault.Config] = standing
	return standing
}

// place says on standard error where documents are against a schema, or where a
// schema is none: a line a place, as compilers do. The error that it returns says
// the rest.
func (s sources) place(cmd *cobra.Command, c *client.Client, namespace config.Name, err error) error {
	problem, ok := errors.AsType[*httpapi.Problem](err)
	if !ok || len(problem.Errors) == 0 || (problem.Code != "schema_violation" && problem.Code != "invalid_schema") {
		return err
	}
	for _, fault := range problem.Errors {
		at := s.of(cmd, c, namespace, fault)
		where := plain(at.path)
		if place, ok := document.Locate(at.Document, fault.Path); ok {
			where = fmt.Sprintf("%s:%d:%d", where, place.Line, place.Column)
		}
		if fault.Path != "" {
			where += ": " + plain(fault.Path)
		}
		say(cmd, "%s: %s", where, plain(fault.Message))
	}
	short := *problem
	what := "against the schema"
	if problem.Code == "invalid_schema" {
		what = "the schema cannot be used"
	}
	short.Detail = fmt.Sprintf("%s: %s", what, count(len(problem.Errors), "place"))
	return &short
}
