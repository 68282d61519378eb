package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/heraldconf/herald/shared/client"
)

func (f *fleetView) filters() bool { return f.agentID != "" || f.workerID != "" }

// wants reports whether the filters let a worker pass.
func (f *fleetView) wants(w client.Worker) bool {
	return (f.agentID == "" || w.Agent == f.agentID) && (f.workerID == "" || w.ID == f.workerID)
}

// pick leaves only the workers that the filters name, and reports whether anybody
// is named by them: an agent that refuses is there without a worker, too. The
// summary remains that of the whole namespace.
func (f *fleetView) pick(fleet *client.Fleet) bool {
	fleet.Workers = slices.DeleteFunc(fleet.Workers, func(w client.Worker) bool { return !f.wants(w) })
	if !f.filters() || len(fleet.Workers) > 0 {
		return true
	}
	return f.workerID == "" && slices.ContainsFunc(fleet.Agents, func(a client.RefusingAgent) bool { return a.ID == f.agentID })
}

// pickRaw does to a body what pick does to what it says; the rest stays as it came.
func (f *fleetView) pickRaw(raw json.RawMessage) (json.RawMessage, error) {
	if !f.filters() {
		return raw, nil
	}
	var body map[string]json.RawMessage
	var workers []json.RawMessage
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, fmt.Errorf("read the fleet: %w", err)
	}
	if err := json.Unmarshal(body["workers"], &workers); err != nil {
		return nil, fmt.Errorf("read the fleet's workers: %w", err)
	}
	picked := []json.RawMessage{}
	for _, one := range workers {
		var w client.Worker
		if err := json.Unmarshal(one, &w); err != nil {
			return nil, fmt.Errorf("read a worker of the fleet: %w", err)
		}
		if f.wants(w) {
			picked = append(picked, one)
		}
	}
	var err error
	if body["workers"], err = json.Marshal(picked); err != nil {
		return nil, fmt.Errorf("encode the fleet's workers: %w", err)
	}
	return json.Marshal(body)
}
