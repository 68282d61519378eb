// Package handler is the controller's ways in: HTTP, and the bus's topic of
// verdicts. It decodes, asks package usecase and encodes; it decides nothing, and
// knows no SQL.
package handler

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/pull"
	"github.com/heraldconf/herald/shared/pull/zstd"
	"github.com/heraldconf/herald/shared/schema"
	"github.com/heraldconf/herald/shared/telemetry"
)

// statuses turns errors into answers.
var statuses = []httpapi.Status{
	{Err: domain.ErrNotFound, Status: http.StatusNotFound, Problem: "not_found"},
	{Err: pull.ErrNotFound, Status: http.StatusNotFound, Problem: "not_found"},
	{Err: domain.ErrPrecondition, Status: http.StatusPreconditionFailed, Problem: "precondition_failed"},
	{Err: domain.ErrStaleBase, Status: http.StatusConflict, Problem: "stale_base"},
	{Err: domain.ErrGuardEmpty, Status: http.StatusConflict, Problem: "guard_empty"},
	{Err: domain.ErrGuardMassChange, Status: http.StatusConflict, Problem: "guard_mass_change"},
	{Err: usecase.ErrOtherRequest, Status: http.StatusConflict, Problem: "idempotency_mismatch"},
	{Err: domain.ErrFrozen, Status: http.StatusConflict, Problem: "frozen"},
	{Err: domain.ErrInvalidSettings, Status: http.StatusBadRequest, Problem: "invalid_request"},
	{Err: usecase.ErrSchemasChanged, Status: http.StatusBadRequest, Problem: "invalid_request"},
	{Err: domain.ErrTooLarge, Status: http.StatusRequestEntityTooLarge, Problem: "too_large"},
	{Err: domain.ErrEmptyCommit, Status: http.StatusBadRequest, Problem: "invalid_request"},
	{Err: schema.ErrInvalid, Status: http.StatusUnprocessableEntity, Problem: "invalid_schema"},
	{Err: schema.ErrViolated, Status: http.StatusUnprocessableEntity, Problem: "schema_violation"},
	{Err: usecase.ErrTooCostly, Status: http.StatusUnprocessableEntity, Problem: "schema_violation"},
	{Err: document.ErrInvalidYAML, Status: http.StatusBadRequest, Problem: "invalid_yaml"},
	{Err: document.ErrInvalidTOML, Status: http.StatusBadRequest, Problem: "invalid_toml"},
	{Err: document.ErrInvalidText, Status: http.StatusBadRequest, Problem: "invalid_text"},
	{Err: domain.ErrUnauthorized, Status: http.StatusUnauthorized, Problem: "unauthorized"},
	{Err: domain.ErrForbidden, Status: http.StatusForbidden, Problem: "forbidden"},
	{Err: domain.ErrInvalidToken, Status: http.StatusBadRequest, Problem: "invalid_request"},
	{Err: usecase.ErrFirstAdmin, Status: http.StatusBadRequest, Problem: "invalid_request"},
	{Err: usecase.ErrInterval, Status: http.StatusBadRequest, Problem: "invalid_request"},
	{Err: domain.ErrTooManyProposals, Status: http.StatusTooManyRequests, Problem: "overloaded", Lasting: true},
	{Err: usecase.ErrFull, Status: http.StatusTooManyRequests, Problem: "overloaded", Lasting: true},
	{Err: usecase.ErrStorageFull, Status: http.StatusInsufficientStorage, Problem: "storage_full"},
	{Err: usecase.ErrUnavailable, Status: http.StatusServiceUnavailable, Problem: "unavailable"},
}

// Parts are what the handlers stand on.
type Parts struct {
	Configs   *usecase.Configs
	Schemas   *usecase.Schemas
	Fleet     *usecase.Fleet
	Undo      *usecase.Undo
	Proposals *usecase.Proposals
	Retention *usecase.Retention
	Settings  usecase.Settings
	Receipts  *usecase.Receipts
	Tokens    *usecase.Tokens
	Audit     *usecase.Audit
	Signing   *usecase.Signing
	Ready     func(context.Context) error // whether the store can be written
	Backup    func(context.Context, func(*os.File) error) error
	Bus       func() string // its state: ok, down or none
	Pending   func() int    // commits not yet announced
	Version   string
	Epoch     config.Epoch
	Draining  <-chan struct{} // closed when held requests are to be answered
	Logger    *slog.Logger
}

// A Handler answers the controller's requests.
type Handler struct {
	Parts
	pull    *pull.Handler
	metrics metrics
}

// New returns the handler of these parts.
func New(parts Parts) *Handler {
	h := &Handler{Parts: parts, pull: pull.NewHandler(parts.Configs, zstd.Coding, pull.Gzip)}
	h.pull.Draining = parts.Draining
	h.pull.Decorate = h.decorate
	h.metrics = newMetrics(h)
	return h
}

// A route is a pattern of http.ServeMux and who answers it.
type route struct {
	pattern string
	answer  httpapi.HandlerFunc
}

func (h *Handler) routes() []route {
	return []route{
		{"GET /v1/namespaces", h.listNamespaces},
		{"GET /v1/namespaces/{ns}/snapshot", h.snapshot},
		{"GET /v1/namespaces/{ns}/configs", h.listConfigs},
		{"GET /v1/namespaces/{ns}/configs/{name}", h.getConfig},
		{"PUT /v1/namespaces/{ns}/configs/{name}", h.putConfig},
		{"DELETE /v1/namespaces/{ns}/configs/{name}", h.deleteConfig},
		{"POST /v1/namespaces/{ns}/configs/{name}/checks", h.checkConfig},
		{"GET /v1/namespaces/{ns}/schemas", h.listSchemas},
		{"GET /v1/namespaces/{ns}/schemas/{name}", h.getSchema},
		{"PUT /v1/namespaces/{ns}/schemas/{name}", h.putSchema},
		{"DELETE /v1/namespaces/{ns}/schemas/{name}", h.deleteSchema},
		{"POST /v1/namespaces/{ns}/commits", h.postCommit},
		{"POST /v1/namespaces/{ns}/proposals", h.postProposal},
		{"GET /v1/namespaces/{ns}/proposals", h.listProposals},
		{"GET /v1/namespaces/{ns}/proposals/{proposal}", h.getProposal},
		{"POST /v1/namespaces/{ns}/proposals/{proposal}/approve", h.postApprove},
		{"POST /v1/namespaces/{ns}/proposals/{proposal}/reject", h.postReject},
		{"POST /v1/namespaces/{ns}/rollback", h.postRollback},
		{"POST /v1/namespaces/{ns}/revert", h.postRevert},
		{"GET /v1/namespaces/{ns}/diff", h.getDiff},
		{"GET /v1/namespaces/{ns}", h.getSettings},
		{"PATCH /v1/namespaces/{ns}", h.patchSettings},
		{"POST /v1/namespaces/{ns}/compact", h.postCompact},
		{"GET /v1/namespaces/{ns}/revisions", h.listRevisions},
		{"GET /v1/namespaces/{ns}/revisions/{revision}", h.getRevision},
		{"GET /v1/namespaces/{ns}/fleet", h.getFleet},
		{"POST /v1/agents", h.registerAgent},
		{"GET /v1/agents", h.listAgents},
		{"GET /v1/agents/{id}", h.getAgent},
		{"PATCH /v1/agents/{id}", h.patchAgent},
		{"POST /v1/agents/{id}/accept", h.acceptRefused},
		{"POST /v1/agents/{id}/reports", h.postReports},
		{"POST /v1/tokens", h.postToken},
		{"GET /v1/tokens", h.listTokens},
		{"DELETE /v1/tokens/{id}", h.deleteToken},
		{"GET /v1/audit", h.listAudit},
		{"GET /v1/backup", h.getBackup},
		{"GET /v1/signing-keys", h.listKeys},
		{"POST /v1/signing-keys", h.rotateKey},
		{"GET /v1/status", h.status},
		{"GET /openapi.yaml", h.getContract},
		{"GET /healthz", h.healthz},
		{"GET /readyz", h.readyz},
	}
}

// metricsRoute is the one route that is not in the list, since it answers by itself.
const metricsRoute = "GET /metrics"

// Routes returns all that the controller answers by HTTP.
func (h *Handler) Routes(registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	for _, r := range h.routes() {
		mux.Handle(r.pattern, httpapi.Handle(statuses, h.admit(r.pattern, h.once(r.answer))))
	}
	h.metrics.register(registry)
	scrape := func(w http.ResponseWriter, r *http.Request) error {
		telemetry.Metrics(registry).ServeHTTP(w, r)
		return nil
	}
	mux.Handle(metricsRoute, httpapi.Handle(statuses, h.admit(metricsRoute, scrape)))
	return httpapi.Router(mux)
}

// namespaceOf reads the namespace of a request's path.
func namespaceOf(r *http.Request) (config.Name, error) { return config.ParseName(r.PathValue("ns")) }

// nameOf reads the namespace and the config of a request's path.
func nameOf(r *http.Request) (namespace, name config.Name, err error) {
	if namespace, err = namespaceOf(r); err != nil {
		return "", "", err
	}
	name, err = config.ParseName(r.PathValue("name"))
	return namespace, name, err
}

// numberOf reads a number from 1 on, in the one way that it is written.
func numberOf(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n > 0 && strconv.FormatInt(n, 10) == text
}

// revisionOf reads a revision as a request writes it.
func revisionOf(text string) (config.Revision, error) {
	n, ok := numberOf(text)
	if !ok {
		return 0, httpapi.Invalid("a revision is a number from 1 on, not " + strconv.Quote(text))
	}
	return config.Revision(n), nil
}

const maxMessage = 1 << 10

// checkMessage refuses a commit message that a list could not show.
func checkMessage(message string) error {
	if len(message) > maxMessage {
		return httpapi.Invalid("a commit message has at most " + strconv.Itoa(maxMessage) + " bytes")
	}
	if !utf8.ValidString(message) {
		return httpapi.Invalid("a commit message is UTF-8")
	}
	for _, r := range message {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return httpapi.Invalid("a commit message has no control characters")
		}
	}
	return nil
}
