package handler

import (
	"net/http"
	"strconv"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/pull"
)

type workerBody struct {
	ID           string             `json:"id"`
	Agent        string             `json:"agent"`
	State        domain.WorkerState `json:"state"`
	Running      *markBody          `json:"running"`
	LastRejected *rejectionBody     `json:"last_rejected"`
	LastSeen     time.Time          `json:"last_seen"`
}

type markBody struct {
	Revision config.Revision `json:"revision"`
	At       time.Time       `json:"at"`
}

type rejectionBody struct {
	Revision config.Revision `json:"revision"`
	Code     string          `json:"code"`
	Message  string          `json:"message"`
	At       time.Time       `json:"at"`
}

func bodyOfWorker(w usecase.WorkerView) workerBody {
	b := workerBody{ID: w.Worker, Agent: w.Agent, State: w.State, LastSeen: w.LastSeen.UTC()}
	if m := w.Running; m != nil {
		b.Running = &markBody{m.Revision, m.At.UTC()}
	}
	if r := w.LastRejected; r != nil {
		b.LastRejected = &rejectionBody{r.Revision, r.Code, r.Message, r.At.UTC()}
	}
	return b
}

// getFleet answers GET /v1/namespaces/{ns}/fleet: who stands how to the revision
// that is asked for, or to the newest. With Prefer: wait the answer is held until
// the summary differs from what it was, every worker that lives is current, or
// the seconds have passed; where none is behind at first it is not held at all.
func (h *Handler) getFleet(w http.ResponseWriter, r *http.Request) error {
	namespace, err := namespaceOf(r)
	if err != nil {
		return err
	}
	var revision config.Revision
	if text := r.URL.Query().Get("revision"); text != "" {
		if revision, err = revisionOf(text); err != nil {
			return err
		}
	}
	view, held, err := h.holdFleet(r, namespace, revision)
	if err != nil {
		return err
	}
	workers := make([]workerBody, 0, len(view.Workers))
	for _, worker := range view.Workers {
		workers = append(workers, bodyOfWorker(worker))
	}
	if held {
		w.Header().Set("Preference-Applied", "wait="+strconv.Itoa(int(pull.Wait(r.Header).Seconds())))
	}
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		Namespace config.Name     `json:"namespace"`
		Epoch     config.Epoch    `json:"epoch"`
		Revision  config.Revision `json:"revision"`
		Summary   usecase.Summary `json:"summary"`
		Workers   []workerBody    `json:"workers"`
		Agents    []refusingBody  `json:"agents"`
	}{view.Namespace, view.Epoch, view.Revision, view.Summary, workers, h.refusing(view.Namespace)})
}

// fleetTick is how often a held request looks whether somebody was lost: that
// happens by the clock alone.
const fleetTick = time.Second

// fleetRest is how long a held request looks away after it looked for news: thousands
// a second would have it count the fleet as often. The first after a quiet time are
// looked at at once.
const fleetRest = 25 * time.Millisecond

func (h *Handler) holdFleet(r *http.Request, namespace config.Name, revision config.Revision) (view usecase.FleetView, held bool, err error) {
	ctx, wait := r.Context(), pull.Wait(r.Header)
	over := time.After(wait)
	var first *usecase.Summary
	var heard time.Time
	for {
		_, newer, err := h.Configs.Latest(ctx, namespace)
		if err != nil {
			return view, held, err
		}
		view, changed, err := h.Fleet.Workers(ctx, namespace, revision)
		if err != nil || wait == 0 || view.Summary.Settled() || (first != nil && *first != view.Summary) {
			return view, held, err
		}
		if first == nil {
			first = &view.Summary
		}
		held = true
		select {
		case <-changed:
			time.Sleep(fleetRest - time.Since(heard))
			heard = time.Now()
		case <-newer:
		case <-time.After(fleetTick):
		case <-over:
			wait = 0
		case <-h.Draining:
			wait = 0
		case <-ctx.Done():
			return view, held, ctx.Err()
		}
	}
}
