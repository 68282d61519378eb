package handler

import (
	"fmt"
	"net/http"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/services/agent/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

type upstreamStatus struct {
	URL         string    `json:"url"`
	State       string    `json:"state"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	LastError   string    `json:"last_error"`
}

// An addressStatus is one of several addresses; what its circuit says is whether it
// is asked just now.
type addressStatus struct {
	upstreamStatus
	Agent   string    `json:"agent,omitempty"`
	Circuit string    `json:"circuit"`
	RetryAt time.Time `json:"retry_at,omitzero"`
	Behind  int       `json:"behind"`
}

type busStatus struct {
	State string `json:"state"`
}

type namespaceStatus struct {
	Epoch    config.Epoch    `json:"epoch"`
	Revision config.Revision `json:"revision"`
	ETag     config.ETag     `json:"etag"`
	Age      int64           `json:"age_seconds"`
	Stale    bool            `json:"stale"`
	Error    string          `json:"error,omitempty"`
	Unkept   string          `json:"unkept,omitempty"` // why it is in memory alone
	Held     *heldStatus     `json:"held,omitempty"`   // what upstream has and is refused
	Damage   string          `json:"damage,omitempty"` // what was wrong with the newest generation on disk
}

type heldStatus struct {
	config.Position
	ETag    config.ETag `json:"etag,omitempty"`
	Code    string      `json:"code"`
	Message string      `json:"message"`
	At      time.Time   `json:"at"`
}

type cacheStatus struct {
	State     string    `json:"state"`
	Since     time.Time `json:"since,omitzero"`
	LastError string    `json:"last_error"`
}

type status struct {
	ID         string                          `json:"id"`
	Upstream   upstreamStatus                  `json:"upstream"`
	Upstreams  []addressStatus                 `json:"upstreams"`
	Bus        busStatus                       `json:"bus"`
	Cache      cacheStatus                     `json:"cache"`
	Namespaces map[config.Name]namespaceStatus `json:"namespaces"`
	Files      []fileStatus                    `json:"files,omitempty"`
}

// status answers GET /v1/status.
func (h *Handler) status(w http.ResponseWriter, r *http.Request) error {
	answer := status{
		ID:         h.ID,
		Upstream:   statusOf(h.Upstream.State()),
		Upstreams:  []addressStatus{},
		Bus:        busStatus{State: string(h.Bus.State())},
		Namespaces: map[config.Name]namespaceStatus{},
	}
	for _, each := range h.Upstream.States() {
		answer.Upstreams = append(answer.Upstreams, addressOf(each))
	}
	disk := h.Syncer.Disk()
	answer.Cache = cacheStatus{State: diskState(disk), Since: disk.Since, LastError: disk.LastError}
	for _, namespace := range h.Syncer.Followed() {
		answer.Namespaces[namespace] = h.namespaceStatus(namespace)
	}
	answer.Files = h.fileStatuses(h.admits(r))
	return httpapi.WriteJSON(w, http.StatusOK, answer)
}

func statusOf(u domain.UpstreamState) upstreamStatus {
	s := upstreamStatus{URL: u.URL, State: "down", LastSuccess: u.LastSuccess, LastError: u.LastError}
	if u.OK {
		s.State = "ok"
	}
	return s
}

// addressOf is one of the addresses; one that was never asked is neither ok nor down.
func addressOf(u domain.UpstreamState) addressStatus {
	s := addressStatus{upstreamStatus: statusOf(u), Agent: u.Agent, Circuit: string(u.Circuit), RetryAt: u.RetryAt.UTC(), Behind: u.Behind}
	if !u.Asked {
		s.State = "none"
	}
	return s
}

// namespaceStatus says what is held of a namespace; revision 0 is nothing yet.
func (h *Handler) namespaceStatus(namespace config.Name) namespaceStatus {
	held := h.Syncer.Holding(namespace)
	s := namespaceStatus{Error: message(held.Err), Unkept: message(held.Unkept), Damage: message(held.Damage)}
	if w := held.Withheld; w != nil {
		told := usecase.Rejection(h.ID, namespace, w)
		s.Held = &heldStatus{w.Position, told.ETag, told.Code, told.Message, told.At}
	}
	if held.Snapshot != nil {
		s.Epoch, s.Revision, s.ETag = held.Snapshot.Epoch, held.Snapshot.Revision, held.Snapshot.ETag
		s.Age, s.Stale = int64(held.Age(time.Now())/time.Second), held.Stale
	}
	return s
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func diskState(c domain.CacheState) string {
	if c.OK() {
		return "ok"
	}
	return "down"
}

// healthz answers that the process is alive.
func (h *Handler) healthz(w http.ResponseWriter, _ *http.Request) error {
	return httpapi.WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz answers 200 once every namespace that was asked for at the start is
// served; stale counts, and so does what a disk that fails leaves in memory.
func (h *Handler) readyz(w http.ResponseWriter, _ *http.Request) error {
	for _, namespace := range h.Required {
		if err := h.Syncer.Holding(namespace).Check(); err != nil {
			return httpapi.NewProblem(http.StatusServiceUnavailable, "unavailable", fmt.Sprintf("namespace %s: %v", namespace, err))
		}
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]string{
		"status": "ready", "bus": string(h.Bus.State()), "cache": diskState(h.Syncer.Disk()),
	})
}
