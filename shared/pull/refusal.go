package pull

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"
)

// A Refusal is an upstream's answer that is no snapshot.
type Refusal struct {
	Status     int
	Code       string // of the problem, where it is one
	Detail     string
	RetryAfter time.Duration
}

func (r *Refusal) Error() string {
	text := strconv.Itoa(r.Status) + " " + http.StatusText(r.Status)
	if r.Detail != "" {
		text += ": " + r.Detail
	}
	return text
}

// Is makes a 404 an ErrNotFound.
func (r *Refusal) Is(target error) bool {
	return target == ErrNotFound && r.Status == http.StatusNotFound
}

// NewRefusal reads an answer that says no. The body is read up to a bound, and
// is not closed.
func NewRefusal(response *http.Response) *Refusal {
	refusal := &Refusal{Status: response.StatusCode, RetryAfter: retryAfter(response.Header.Get("Retry-After"))}
	body, _ := io.ReadAll(io.LimitReader(response.Body, 16<<10))
	var problem struct{ Code, Detail string }
	if json.Unmarshal(body, &problem) == nil {
		refusal.Code, refusal.Detail = problem.Code, problem.Detail
	}
	return refusal
}

// maxRetryAfter is how long a Retry-After is obeyed at most. An upstream under repair
// is asked little by then, and one that said a year, by mistake or malice, is not to
// silence a fleet for longer than people take to find out.
const maxRetryAfter = 5 * time.Minute

// retryAfter reads a Retry-After, in seconds or as a date.
func retryAfter(value string) time.Duration {
	after := parseSeconds(value)
	if at, err := http.ParseTime(value); err == nil {
		after = time.Until(at)
	}
	return min(max(0, after), maxRetryAfter)
}
