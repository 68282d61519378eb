package handler

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// maxSettings bounds the body that changes settings.
const maxSettings = 16 << 10

// getSettings answers GET /v1/namespaces/{ns}: what is set for the namespace.
func (h *Handler) getSettings(w http.ResponseWriter, r *http.Request) error {
	namespace, err := namespaceOf(r)
	if err != nil {
		return err
	}
	settings, err := h.Settings.Settings(r.Context(), namespace)
	if err != nil {
		return err
	}
	return writeSettings(w, namespace, settings, false)
}

// A settingsPatch is the body of PATCH /v1/namespaces/{ns}: what is not there stays.
type settingsPatch struct {
	Guards struct {
		Empty          *bool `json:"empty"`
		Configs        *int  `json:"configs"`
		DeletedPercent *int  `json:"deleted_percent"`
		KeptPercent    *int  `json:"kept_percent"`
	} `json:"guards"`
	Retention struct {
		Revisions *int `json:"keep_revisions"`
		Days      *int `json:"keep_days"`
	} `json:"retention"`
	FrozenUntil json.RawMessage `json:"frozen_until"` // null ends a freeze
	Reason      *string         `json:"reason"`
	Protected   *bool           `json:"protected"`
}

// patchSettings answers PATCH /v1/namespaces/{ns}.
func (h *Handler) patchSettings(w http.ResponseWriter, r *http.Request) error {
	namespace, err := namespaceOf(r)
	if err != nil {
		return err
	}
	var asked settingsPatch
	if err := httpapi.ReadJSON(w, r, maxSettings, &asked); err != nil {
		return err
	}
	dry, err := switchOf(r, "dry_run")
	if err != nil {
		return err
	}
	actor := actorOf(r)
	amend := func(now domain.Settings) (domain.Settings, error) {
		next, err := asked.over(now)
		if err == nil && next.Protected && !now.Protected {
			err = next.CheckProtection(actor)
		}
		return next, err
	}
	var settings domain.Settings
	if !dry {
		settings, err = h.Settings.Amend(r.Context(), namespace, actor, amend)
	} else if settings, err = h.Settings.Settings(r.Context(), namespace); err == nil {
		settings, err = amend(settings)
	}
	if err != nil {
		return err
	}
	return writeSettings(w, namespace, settings, dry)
}

// over returns the settings with what the patch says.
func (p settingsPatch) over(s domain.Settings) (domain.Settings, error) {
	set(&s.Guards.Empty, p.Guards.Empty)
	set(&s.Guards.Configs, p.Guards.Configs)
	set(&s.Guards.DeletedPercent, p.Guards.DeletedPercent)
	set(&s.Guards.KeptPercent, p.Guards.KeptPercent)
	set(&s.Retention.Revisions, p.Retention.Revisions)
	set(&s.Retention.Days, p.Retention.Days)
	switch {
	case bytes.Equal(p.FrozenUntil, []byte("null")):
		s.FrozenUntil, s.Reason = time.Time{}, ""
	case p.FrozenUntil != nil:
		var until time.Time
		if json.Unmarshal(p.FrozenUntil, &until) != nil {
			return s, httpapi.Invalid(`frozen_until is a time, as in "2030-01-31T18:00:00Z", or null`)
		}
		if !until.After(time.Now()) {
			return s, httpapi.Invalid("frozen_until is over already, at " + until.UTC().Format(time.RFC3339) + "; null ends a freeze")
		}
		s.FrozenUntil, s.Reason = until.UTC().Truncate(time.Millisecond), ""
	}
	set(&s.Reason, p.Reason)
	set(&s.Protected, p.Protected)
	return s, s.Check(time.Now())
}

func set[T any](into, from *T) {
	if from != nil {
		*into = *from
	}
}

func writeSettings(w http.ResponseWriter, namespace config.Name, s domain.Settings, dry bool) error {
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		DryRun    bool        `json:"dry_run,omitempty"`
		Namespace config.Name `json:"namespace"`
		domain.Settings
	}{dry, namespace, s})
}
