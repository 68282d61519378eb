package handler

import (
	"maps"
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
	also   url.Values // what the next page is asked for too
}

// with says what the next page is asked for too, unless it is nothing.
func (p *page) with(key, value string) {
	if value != "" {
		p.also = url.Values{key: {value}}
	}
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

// pageBefore is pageOf for a list that is newest first, and what its cursor says, which
// parse reads; the zero T where the list begins.
func pageBefore[T any](r *http.Request, parse func(string) (T, error)) (p page, before T, err error) {
	if p, err = pageOf(r, "before"); err == nil && p.cursor != "" {
		before, err = parse(p.cursor)
	}
	return p, before, err
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
	maps.Copy(query, p.also)
	return lines, p.path + "?" + query.Encode()
}
