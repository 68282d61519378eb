package handler

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/httpapi"
)

// postCompact answers POST /v1/namespaces/{ns}/compact: it drops documents from the
// history, or says which it would.
func (h *Handler) postCompact(w http.ResponseWriter, r *http.Request) error {
	namespace, err := namespaceOf(r)
	if err != nil {
		return err
	}
	var asked struct {
		Revisions int  `json:"keep_revisions"`
		Days      int  `json:"keep_days"`
		DryRun    bool `json:"dry_run"`
	}
	if err := httpapi.ReadJSON(w, r, maxSettings, &asked); err != nil {
		return err
	}
	dry, err := switchOf(r, "dry_run")
	if err != nil {
		return err
	}
	dry = dry || asked.DryRun
	keep, err := h.retention(r, domain.Retention{Revisions: asked.Revisions, Days: asked.Days})
	if err != nil {
		return err
	}
	var found domain.Compaction
	if dry {
		found, err = h.Retention.Preview(r.Context(), namespace, keep)
	} else {
		found, err = h.Retention.Compact(r.Context(), namespace, keep, actorOf(r))
	}
	if err != nil {
		return err
	}
	if found.Dropped == nil {
		found.Dropped = []domain.Dropped{}
	}
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		DryRun bool `json:"dry_run"`
		domain.Retention
		domain.Compaction
	}{dry, keep, found})
}

// retention is what a request asks to be kept, or else what is set for the
// namespace. Nothing is dropped because nobody said what is to be kept.
func (h *Handler) retention(r *http.Request, asked domain.Retention) (domain.Retention, error) {
	if err := asked.Check(); err != nil || !asked.Everything() {
		return asked, err
	}
	namespace, err := namespaceOf(r)
	if err != nil {
		return asked, err
	}
	set, err := h.Settings.Settings(r.Context(), namespace)
	if err == nil && set.Retention.Everything() {
		err = httpapi.Invalid(`the namespace keeps everything: say what is to be kept, as in {"keep_revisions":100,"keep_days":90}`)
	}
	return set.Retention, err
}

// compacted are the counters of what was dropped.
func compacted(retention *usecase.Retention) []prometheus.Collector {
	count := func(name, help string, read func() int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "herald", Subsystem: "controller", Name: name, Help: help},
			func() float64 { return float64(read()) })
	}
	return []prometheus.Collector{
		count("compacted_documents_total", "Documents that were dropped from the history.", func() int64 {
			documents, _ := retention.Dropped()
			return documents
		}),
		count("compacted_bytes_total", "Bytes of the documents that were dropped from the history.", func() int64 {
			_, bytes := retention.Dropped()
			return bytes
		}),
	}
}
