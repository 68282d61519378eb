package handler

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/heraldconf/herald/services/agent/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

// patience is how long the first caller of a namespace waits for it to be
// pulled, where the caller names no time.
const patience = 5 * time.Second

// source serves what the syncer holds.
type source struct{ syncer *usecase.Syncer }

func (s source) Latest(_ context.Context, namespace config.Name) (*config.Snapshot, <-chan struct{}, error) {
	return s.syncer.Latest(namespace)
}

func (h *Handler) snapshot(w http.ResponseWriter, r *http.Request) error {
	h.sign(w, r)
	defer h.Ring.Asking(pull.Asker(r))()
	if err := h.ensure(r); err != nil {
		return err
	}
	return h.pull.ServeSnapshot(w, r)
}

func (h *Handler) config(w http.ResponseWriter, r *http.Request) error {
	h.sign(w, r)
	if _, err := config.ParseName(r.PathValue("name")); err != nil {
		return err
	}
	defer h.Ring.Asking(pull.Asker(r))()
	if err := h.ensure(r); err != nil {
		return err
	}
	return h.pull.ServeConfig(w, r)
}

// sign says who answers, and whom it came through: with a 404 and a 503 too, since
// whose news to hear is worth knowing, and two agents that wait for each other are
// to see it.
func (h *Handler) sign(w http.ResponseWriter, r *http.Request) {
	pull.SetAgent(w.Header(), h.ID)
	pull.SetVia(w.Header(), h.Syncer.Holding(config.Name(r.PathValue("ns"))).Path(h.ID))
}

// ensure sees to it that the namespace is followed. The caller who began it gets
// the first answer there is, be it that there is nothing; later ones are held.
func (h *Handler) ensure(r *http.Request) error {
	namespace, err := config.ParseName(r.PathValue("ns"))
	if err != nil {
		return err
	}
	wait := pull.Wait(r.Header)
	if wait == 0 {
		wait = patience
	}
	began, err := h.Syncer.Ensure(r.Context(), namespace, wait)
	if began {
		r.Header.Del("Prefer")
	}
	return err
}

// decorate adds how fresh the body is, which only an agent says.
func (h *Handler) decorate(out http.Header, r *http.Request, namespace config.Name) {
	held := h.Syncer.Holding(namespace)
	pull.SetAge(out, held.Age(time.Now()), held.Stale)
	pull.SetInterval(out, cmp.Or(h.Ring.Interval(pull.Asker(r)), h.Syncer.Interval()))
	pull.SetVia(out, held.Path(h.ID))
}
