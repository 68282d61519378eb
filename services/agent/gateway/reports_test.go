package gateway

import (
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/agent/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// TestReportsObeyRetryAfter: who reports tries again and again, and yet nobody is
// asked before the time that was said, of which five minutes count at most. What is
// pulled is not held up.
func TestReportsObeyRetryAfter(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		for said, counts := range map[time.Duration]time.Duration{
			50 * time.Second: 50 * time.Second, 365 * 24 * time.Hour: 5 * time.Minute,
		} {
			upstreams(t, 1, func(t *testing.T, u *Upstream, at []*address) {
				at[0].snapshot = snapshotAt(1)
				var asked atomic.Int32
				u.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					if !strings.HasSuffix(r.URL.Path, "/reports") {
						return at[0].RoundTrip(r)
					}
					return answerOf(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						if asked.Add(1) == 1 {
							p := httpapi.NewProblem(status, "unavailable", "not now")
							p.RetryAfter = said
							httpapi.WriteProblem(w, p)
						}
					}), r)
				})
				reporter := usecase.NewReporter(u, func() time.Duration { return time.Second }, slog.New(slog.DiscardHandler))
				go reporter.Run(t.Context())
				reporter.Add(config.Reports{Applied: []config.Verdict{{Worker: "w-1", Namespace: "payments", Revision: 1, At: time.Now()}}})
				time.Sleep(counts - time.Second)
				if n := asked.Load(); n != 1 {
					t.Errorf("%d for %s: %d requests before it was over", status, said, n)
				}
				if _, _, err := u.fetch(t.Context(), request(0, nil)); status == http.StatusServiceUnavailable && err != nil {
					t.Errorf("a pull meanwhile: %v", err)
				}
				time.Sleep(50 * time.Second)
				if n := asked.Load(); n != 2 {
					t.Errorf("%d for %s: %d requests after it was over", status, said, n)
				}
			})
		}
	}
}
