package handler

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// A grant says who may use a route, beside an admin, who may use them all. Where
// the route is of a namespace, the token must open that namespace too.
type grant struct {
	open  bool // to everybody, without a token
	roles []domain.Role
}

func to(roles ...domain.Role) grant { return grant{roles: roles} }

var (
	everybody = grant{open: true}
	admins    = to()
	signedIn  = to(domain.Publisher, domain.AgentRole, domain.Reader)
	pullers   = signedIn
	readers   = to(domain.Publisher, domain.Reader)
	writers   = to(domain.Publisher)
	agents    = to(domain.AgentRole)
)

// access has a line for each route. One that has none would be an admin's alone,
// and a test misses it.
var access = map[string]grant{
	"GET /v1/namespaces":                           readers,
	"GET /v1/namespaces/{ns}/snapshot":             pullers,
	"GET /v1/namespaces/{ns}/configs":              readers,
	"GET /v1/namespaces/{ns}/configs/{name}":       pullers,
	"PUT /v1/namespaces/{ns}/configs/{name}":       writers,
	"DELETE /v1/namespaces/{ns}/configs/{name}":    writers,
	"POST /v1/namespaces/{ns}/commits":             writers,
	"POST /v1/namespaces/{ns}/rollback":            writers,
	"POST /v1/namespaces/{ns}/revert":              writers,
	"POST /v1/namespaces/{ns}/proposals":           writers,
	"GET /v1/namespaces/{ns}/proposals":            writers,
	"GET /v1/namespaces/{ns}/proposals/{proposal}": writers,

	"POST /v1/namespaces/{ns}/proposals/{proposal}/approve": writers,
	"POST /v1/namespaces/{ns}/proposals/{proposal}/reject":  writers,

	"GET /v1/namespaces/{ns}/revisions":              readers,
	"GET /v1/namespaces/{ns}/revisions/{revision}":   readers,
	"GET /v1/namespaces/{ns}/diff":                   readers,
	"GET /v1/namespaces/{ns}/schemas":                readers,
	"GET /v1/namespaces/{ns}/schemas/{name}":         readers,
	"PUT /v1/namespaces/{ns}/schemas/{name}":         writers,
	"DELETE /v1/namespaces/{ns}/schemas/{name}":      writers,
	"POST /v1/namespaces/{ns}/configs/{name}/checks": readers,
	"GET /v1/namespaces/{ns}":                        readers,
	"PATCH /v1/namespaces/{ns}":                      admins,
	"POST /v1/namespaces/{ns}/compact":               admins,
	"GET /v1/namespaces/{ns}/fleet":                  readers,
	"POST /v1/agents":                                agents,
	"GET /v1/agents":                                 writers,
	"GET /v1/agents/{id}":                            writers,
	"PATCH /v1/agents/{id}":                          admins,
	"POST /v1/agents/{id}/accept":                    writers,
	"POST /v1/agents/{id}/reports":                   agents,
	"POST /v1/tokens":                                admins,
	"GET /v1/tokens":                                 admins,
	"DELETE /v1/tokens/{id}":                         admins,
	"GET /v1/audit":                                  admins,
	"GET /v1/backup":                                 admins,
	"GET /v1/signing-keys":                           everybody,
	"POST /v1/signing-keys":                          admins,
	"GET /metrics":                                   signedIn,
	"GET /openapi.yaml":                              everybody,
	"GET /v1/status":                                 everybody,
	"GET /healthz":                                   everybody,
	"GET /readyz":                                    everybody,
}

// admit lets those use a route who may, tells the audit who may not, and what is
// refused to who may.
func (h *Handler) admit(pattern string, answer httpapi.HandlerFunc) httpapi.HandlerFunc {
	rule := access[pattern]
	if rule.open {
		return answer
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		token, err := h.Tokens.Authenticate(bearer(r))
		if err != nil {
			h.signInFailed(r, token, err)
			return err
		}
		h.Tokens.Used(token.ID)
		r = r.WithContext(context.WithValue(r.Context(), tokenKey{}, token))
		if err = rule.check(token, r); err == nil {
			err = checkSwitches(r)
		}
		if err == nil {
			h.speakFor(r, token.Actor())
			err = answer(h.outliving(w, r, token.ID), r)
		}
		h.noteRefusal(r, token.Actor(), err)
		return err
	}
}

// check returns an error that wraps domain.ErrForbidden for a request that the
// token does not open. Whether the namespace is there makes no difference.
func (g grant) check(token domain.Token, r *http.Request) error {
	if token.Role == domain.Admin {
		return nil
	}
	if !slices.Contains(g.roles, token.Role) {
		return fmt.Errorf("%w: the token %s has the role %s, which is not for this", domain.ErrForbidden, token.Name, token.Role)
	}
	if namespace := r.PathValue("ns"); namespace != "" && !token.Namespaces.Holds(config.Name(namespace)) {
		return fmt.Errorf("%w: the token %s does not open the namespace %.80q", domain.ErrForbidden, token.Name, namespace)
	}
	return nil
}

// bearer is the token that a request brings, "" for none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

type tokenKey struct{}

// tokenOf is the token that the request brings, or one that opens everything
// where the controller has no tokens.
func tokenOf(r *http.Request) domain.Token {
	if token, ok := r.Context().Value(tokenKey{}).(domain.Token); ok {
		return token
	}
	return domain.Token{Name: domain.Anonymous.Name, Role: domain.Anonymous.Role, Namespaces: domain.AllNamespaces}
}

// actorOf is who asks: the holder of the token that the request brings, or
// anonymous where the controller has no tokens.
func actorOf(r *http.Request) domain.Actor { return tokenOf(r).Actor() }

// speakFor drops the name of an agent that the request comes from where its token
// is not one that speaks for it: nobody else is to make it seem alive.
func (h *Handler) speakFor(r *http.Request, actor domain.Actor) {
	if id := r.Header.Get("Herald-Agent"); id != "" && !h.Fleet.Hears(actor, id) {
		r.Header.Del("Herald-Agent")
	}
}

// signInFailed tells the audit of a request that no token came with, or none that
// counts.
func (h *Handler) signInFailed(r *http.Request, meant domain.Token, why error) {
	actor := meant.Actor()
	if meant.ID == "" {
		actor = domain.Actor{Name: "unknown"}
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr) // what is none stays empty
	h.Audit.Refused(domain.Entry{
		At: time.Now(), Actor: actor, Action: domain.ActionSignIn, Target: r.Pattern, Outcome: "unauthorized",
		Detail: clip(why.Error()) + "; from " + host,
	})
}

// noteRefusal tells the audit of what somebody might not do, and of a write that
// was refused. To ask what would be refused is neither, but by who may not even ask.
func (h *Handler) noteRefusal(r *http.Request, actor domain.Actor, err error) {
	if err == nil {
		return
	}
	problem := httpapi.ProblemOf(statuses, err)
	if problem.Status/100 != 4 || (!changes(r) && problem.Status != http.StatusForbidden) {
		return
	}
	h.Audit.Refused(domain.Entry{
		At: time.Now(), Actor: actor, Action: r.Pattern, Target: targetOf(r), Outcome: problem.Code, Detail: clip(problem.Detail),
	})
}

// targetOf is what a request is about: payments, payments/limits, payments#7, an ID.
func targetOf(r *http.Request) string {
	target := r.PathValue("ns") + r.PathValue("id")
	if name := r.PathValue("name"); name != "" {
		target += "/" + name
	}
	if proposal := r.PathValue("proposal"); proposal != "" {
		target += "#" + proposal
	}
	return clip(target)
}

// clip bounds what the audit is told of what came from outside.
func clip(text string) string {
	const most = 300
	text = strings.ToValidUTF8(text, "\uFFFD")
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return text
}
