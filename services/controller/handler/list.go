package handler

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/heraldconf/herald/shared/httpapi"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// A page is the part of a list that a request asks for: at most limit lines from
// behind the cursor on, which is the last line of the page before.
type page struct {
	path   string
	key    string // the query parameter of the cursor
	cursor string
	limit  int
}

func pageOf(r *http.Request, key string) (page, error) {
	query := r.URL.Query()
	p := page{path: r.URL.Path, key: key, cursor: query.Get(key), limit: defaultLimit}
	if text := query.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 {
			return p, httpapi.Invalid("limit is a number from 1 to " + strconv.Itoa(maxLimit) + ", not " + strconv.Quote(text))
		}
		p.limit = min(limit, maxLimit)
	}
	return p, nil
}

// cut makes a page of lines, one more of which was asked for than the page has, and
// returns the path of the next page, "" at the end.
func cut[T any](p page, lines []T, cursor func(T) string) ([]T, string) {
	if lines == nil {
		lines = []T{} // a list without lines is still a list in JSON
	}
	if len(lines) <= p.limit {
		return lines, ""
	}
	lines = lines[:p.limit]
	query := url.Values{p.key: {cursor(lines[p.limit-1])}, "limit": {strconv.Itoa(p.limit)}}
	return lines, p.path + "?" + query.Encode()
}
