// Package contract holds a service's answers against its openapi.yaml: the tests
// of its handlers send every request through a Contract. It knows OpenAPI and
// HTTP; it knows no service, and no service needs it to run.
package contract

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	faults "github.com/pb33f/libopenapi-validator/errors"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// A Contract is what a service promises of its HTTP API.
type Contract struct {
	check      validator.Validator
	operations []Operation
}

// An Operation is a method on a path, and the statuses that it may answer with.
type Operation struct {
	Method   string
	Path     string              // as http.ServeMux writes it
	Query    []string            // the parameters of its query
	Statuses map[string][]string // and the header fields that each of them may have
}

// Pattern is the operation as http.ServeMux names it.
func (o Operation) Pattern() string { return o.Method + " " + o.Path }

// Parse reads an OpenAPI document and checks that it is one.
func Parse(text []byte) (*Contract, error) {
	text, err := closed(text)
	if err != nil {
		return nil, err
	}
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	check, errs := validator.NewValidator(document, config.WithFormatAssertions(), config.WithoutSecurityValidation())
	if len(errs) > 0 {
		return nil, fmt.Errorf("read the contract: %w", errs[0])
	}
	if ok, errs := check.ValidateDocument(); !ok {
		return nil, fmt.Errorf("the contract is no OpenAPI: %w", join(errs))
	}
	model, err := document.BuildV3Model()
	if err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	c := &Contract{check: check}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method, operation := range item.GetOperations().FromOldest() {
			c.operations = append(c.operations, operationOf(strings.ToUpper(method), path, operation))
		}
	}
	slices.SortFunc(c.operations, func(a, b Operation) int { return cmp.Compare(a.Pattern(), b.Pattern()) })
	return c, nil
}

func operationOf(method, path string, model *v3.Operation) Operation {
	o := Operation{Method: method, Path: path, Statuses: map[string][]string{}}
	for status, answer := range model.Responses.Codes.FromOldest() {
		fields := slices.Clone(unspoken)
		for field := range answer.Headers.FromOldest() {
			fields = append(fields, http.CanonicalHeaderKey(field))
		}
		o.Statuses[status] = fields
	}
	for _, parameter := range model.Parameters {
		if parameter.In == "query" {
			o.Query = append(o.Query, parameter.Name)
		}
	}
	return o
}

// Operations are all that the contract names, in the order of their patterns.
func (c *Contract) Operations() []Operation { return c.operations }

// unspoken are header fields that any answer may have, and no operation names.
var unspoken = []string{
	"Cache-Control", "Content-Encoding", "Content-Type", "Content-Length", "Content-Security-Policy", "Date", "X-Content-Type-Options",
}

// Serve lets the handler answer a request and returns what was wrong with that:
// an operation or a status that the contract has not, an answer that is not like
// its schema, or a request that was carried out though the contract forbids it. A
// request that the handler refuses may well be one that the contract refuses too.
func (c *Contract) Serve(handler http.Handler, w *httptest.ResponseRecorder, r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	asked := r.Clone(r.Context())
	asked.Body = io.NopCloser(bytes.NewReader(body))
	handler.ServeHTTP(w, r)
	select {
	case <-r.Context().Done(): // nobody waits for an answer
		return nil
	default:
		return c.Check(asked, w.Result())
	}
}

// Check holds an answer and its request against the contract, as Serve does. It
// reads the bodies of both.
func (c *Contract) Check(asked *http.Request, answer *http.Response) error {
	operation, status := c.operation(asked), answer.StatusCode
	if status == http.StatusMethodNotAllowed || (status == http.StatusNotFound && operation == nil) {
		return nil // of no operation: the router's own
	}
	if err := c.checkAnswer(operation, asked, answer); err != nil {
		return fmt.Errorf("%s %s answered %d: %w", asked.Method, asked.URL, status, err)
	}
	if status >= http.StatusBadRequest {
		return nil
	}
	if asked.Header.Get("Content-Type") == "" {
		asked.Header.Set("Content-Type", "application/json") // which is what it means not to say
	}
	if ok, errs := c.check.ValidateHttpRequestSync(asked); !ok {
		return fmt.Errorf("%s %s was carried out, and the contract forbids it: %w", asked.Method, asked.URL, join(errs))
	}
	return nil
}

// checkAnswer leaves a coded body alone: what it says is in the one that is not.
func (c *Contract) checkAnswer(operation *Operation, asked *http.Request, answer *http.Response) error {
	if operation == nil {
		return errors.New("there is no such operation")
	}
	for field := range answer.Header {
		if fields := operation.Statuses[strconv.Itoa(answer.StatusCode)]; fields != nil && !slices.Contains(fields, field) {
			return fmt.Errorf("nothing is said of the header field %s", field)
		}
	}
	if answer.Header.Get("Content-Encoding") != "" {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); answer.StatusCode >= http.StatusBadRequest &&
		(err != nil || kind != "application/problem+json") {
		return fmt.Errorf("its Content-Type is %s", answer.Header.Get("Content-Type"))
	}
	if ok, errs := c.check.ValidateHttpResponse(asked, answer); !ok {
		return join(errs)
	}
	return nil
}

// operation returns the one that fits the request, or nil.
func (c *Contract) operation(r *http.Request) *Operation {
	got := strings.Split(r.URL.EscapedPath(), "/")
	i := slices.IndexFunc(c.operations, func(o Operation) bool {
		want := strings.Split(o.Path, "/")
		if o.Method != r.Method || len(want) != len(got) {
			return false
		}
		for i := range want {
			if want[i] != got[i] && !strings.HasPrefix(want[i], "{") {
				return false
			}
		}
		return true
	})
	if i < 0 {
		return nil
	}
	return &c.operations[i]
}

func join(errs []*faults.ValidationError) error {
	var lines []string
	for _, err := range errs {
		lines = append(lines, err.Error())
	}
	return fmt.Errorf("%s", strings.Join(lines, "; "))
}
