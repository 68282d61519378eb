package handler

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/heraldconf/herald/shared/httpapi"
)

// The switches that writes have.
var (
	tried  = []string{"dry_run"}
	forced = []string{"dry_run", "force"}
)

// checks is the one route beside those that read which never changes anything.
const checks = "POST /v1/namespaces/{ns}/configs/{name}/checks"

// switches are the parameters that each write takes; those that are not here take
// none.
var switches = map[string][]string{
	"PUT /v1/namespaces/{ns}/configs/{name}":    forced,
	"DELETE /v1/namespaces/{ns}/configs/{name}": forced,
	checks:                                   forced, // which is a dry run in any case
	"PUT /v1/namespaces/{ns}/schemas/{name}": forced,
	"DELETE /v1/namespaces/{ns}/schemas/{name}": forced,
	"POST /v1/namespaces/{ns}/commits":          forced,
	"POST /v1/namespaces/{ns}/proposals":        forced,
	"POST /v1/namespaces/{ns}/rollback":         forced,
	"POST /v1/namespaces/{ns}/revert":           forced,
	"POST /v1/namespaces/{ns}/compact":          tried,

	"POST /v1/namespaces/{ns}/proposals/{proposal}/approve": forced,
	"POST /v1/namespaces/{ns}/proposals/{proposal}/reject":  tried,

	"PATCH /v1/namespaces/{ns}":   tried,
	"PATCH /v1/agents/{id}":       tried,
	"POST /v1/agents/{id}/accept": tried,
	"POST /v1/tokens":             tried,
	"DELETE /v1/tokens/{id}":      tried,
	"POST /v1/signing-keys":       tried,
}

// checkSwitches refuses a write whose parameters are not all known, and there once.
// One that is overlooked would have it done for good, and not just tried.
func checkSwitches(r *http.Request) error {
	if reads(r) {
		return nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return httpapi.Invalid("the parameters cannot be read: " + err.Error())
	}
	for name, values := range query {
		known := switches[r.Pattern]
		switch {
		case !slices.Contains(known, name) && len(known) == 0:
			return httpapi.Invalid("this takes no parameters, and was asked with " + strconv.Quote(name))
		case !slices.Contains(known, name):
			return httpapi.Invalid("there is no parameter " + strconv.Quote(name) + "; this takes " + strings.Join(known, " and "))
		case len(values) > 1:
			return httpapi.Invalid("the parameter " + name + " stands there more than once")
		}
	}
	return nil
}

// switchOf reads a parameter that is on or off. One that is neither is refused,
// since a write that misreads what it is asked cannot be taken back by asking again.
func switchOf(r *http.Request, name string) (bool, error) {
	query := r.URL.Query()
	if !query.Has(name) {
		return false, nil
	}
	on, err := strconv.ParseBool(query.Get(name))
	if err != nil {
		return false, httpapi.Invalid(name + " is true or false, not " + strconv.Quote(query.Get(name)))
	}
	return on, nil
}

func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// changes reports whether a request is to change something: it does not read, and
// does not just ask what a write would do. A dry_run that is neither is a write,
// which will be refused.
func changes(r *http.Request) bool {
	dry, _ := switchOf(r, "dry_run")
	return !reads(r) && !dry && r.Pattern != checks
}
