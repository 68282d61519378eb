package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
)

// A picture is what a fleet is at one time: in a namespace that was named, or in each
// that may be seen.
type picture struct {
	fleets []client.Fleet
	bodies []json.RawMessage // as they came, but for what the filters leave out
	named  bool
	empty  bool // the filters name nobody
}

// A look asks for a picture. The server may hold its answer for that long, where there
// is one that can tell of all.
type look func(ctx context.Context, hold time.Duration) (picture, error)

// of looks at one namespace.
func (f *fleetView) of(namespace config.Name) look {
	return func(ctx context.Context, hold time.Duration) (picture, error) {
		p := picture{named: true}
		found, err := f.add(ctx, &p, namespace, hold)
		p.empty = !found
		return p, err
	}
}

// all looks at each namespace, and leaves out those that have nobody whom the filters
// name.
func (f *fleetView) all(ctx context.Context, _ time.Duration) (picture, error) {
	p := picture{bodies: []json.RawMessage{}}
	_, namespaces, err := list[client.Namespace](f.cmd, f.client, "/v1/namespaces", "namespaces")
	if err != nil {
		return p, err
	}
	for _, n := range namespaces {
		if _, err := f.add(ctx, &p, n.Namespace, 0); err != nil {
			return p, err
		}
	}
	p.empty = f.filters() && len(p.fleets) == 0
	return p, nil
}

// add asks for a namespace's fleet, and reports whether the filters name somebody of it.
func (f *fleetView) add(ctx context.Context, p *picture, namespace config.Name, hold time.Duration) (found bool, err error) {
	path := client.NamespacePath(namespace, "/fleet")
	if f.revision > 0 {
		path += "?revision=" + strconv.FormatInt(f.revision, 10)
	}
	var fleet client.Fleet
	raw, err := f.client.Hold(ctx, path, hold, &fleet)
	if err == nil && fleet.Namespace != namespace {
		err = errStranger
	}
	if err != nil {
		return false, err
	}
	if found = f.pick(&fleet); !found && !p.named {
		return false, nil
	}
	if raw, err = f.pickRaw(raw); err == nil {
		p.fleets, p.bodies = append(p.fleets, fleet), append(p.bodies, raw)
	}
	return found, err
}

// print writes a picture, all of it.
func (f *fleetView) print(p picture) error {
	switch {
	case f.output == asJSON && p.named:
		return writeJSON(f.cmd.OutOrStdout(), p.bodies[0])
	case f.output == asJSON:
		return writeJSON(f.cmd.OutOrStdout(), map[string]any{"fleet": p.bodies})
	}
	most := len(p.fleets)
	for _, fleet := range p.fleets {
		most = max(most, len(fleet.Workers))
	}
	var page bytes.Buffer
	if err := f.render(&page, p, most); err != nil {
		return err
	}
	return written(f.cmd.OutOrStdout().Write(page.Bytes()))
}

// sums reports whether a picture is a line for each namespace, and not for each worker.
func (f *fleetView) sums(p picture) bool { return !p.named && !f.filters() }

// tables is how many tables a picture is drawn as.
func (f *fleetView) tables(p picture) int {
	if f.sums(p) {
		return 1
	}
	return len(p.fleets)
}

// render draws a picture, with so many lines in each table at most.
func (f *fleetView) render(w io.Writer, p picture, most int) error {
	if f.sums(p) {
		return sumUp(w, p.fleets, most)
	}
	for _, fleet := range p.fleets {
		if err := f.draw(w, fleet, most); err != nil {
			return err
		}
	}
	return nil
}

// state is what two pictures are compared by: that a worker was seen again is no
// change, nor is what a sum does not show.
func (f *fleetView) state(p picture) (string, error) {
	var all []client.Fleet
	for _, fleet := range p.fleets {
		workers := make([]client.Worker, len(fleet.Workers))
		for i, w := range fleet.Workers {
			w.LastSeen = time.Time{}
			workers[i] = w
		}
		if fleet.Workers = workers; f.sums(p) {
			fleet.Workers, fleet.Agents = nil, nil
		}
		all = append(all, fleet)
	}
	state, err := json.Marshal(all)
	return string(state), err
}
