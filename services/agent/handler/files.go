package handler

import (
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

type fileStatus struct {
	Path    string                          `json:"path"`
	State   domain.FileState                `json:"state"`
	Running map[config.Name]config.Position `json:"running,omitempty"` // what it is made of
	Tried   map[config.Name]config.Position `json:"tried,omitempty"`   // of the last try
	At      time.Time                       `json:"at,omitzero"`       // of the last try
	Code    string                          `json:"code,omitempty"`
	Error   string                          `json:"error,omitempty"`
}

// fileStatuses says how the files are doing that are made from configs. What their
// commands printed may quote configs, and is for those who may read these.
func (h *Handler) fileStatuses(admitted bool) []fileStatus {
	standings := h.Files.Standings()
	statuses := make([]fileStatus, 0, len(standings))
	for i, s := range standings {
		status := fileStatus{Path: h.Files.Files[i].To, State: s.State, Running: s.Running, Tried: s.Tried, At: s.At, Code: s.Refusal.Code}
		if admitted {
			status.Error = s.Refusal.Message
		}
		statuses = append(statuses, status)
	}
	return statuses
}

func (h *Handler) countRejected() float64 {
	rejected := 0
	for _, s := range h.Files.Standings() {
		if s.State == domain.FileRejected {
			rejected++
		}
	}
	return float64(rejected)
}
