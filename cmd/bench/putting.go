package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/settings"
)

type puttingOptions struct {
	during  time.Duration
	writers int
}

func puttingCommand() *cobra.Command {
	var o puttingOptions
	cmd := &cobra.Command{
		Use:   "putting",
		Short: "Commits a second, each on disk before it is answered, by one writer and by many",
		Long: `Runs a controller and lets writers put documents over HTTP, each in a config of its
own, first into one namespace and then into one each, with and without a schema
that the documents must meet. Every commit is on disk, and told in the audit,
before it is answered. What the disk itself can do is printed beside it.`,
		Example: "  go run ./cmd/bench putting\n  go run ./cmd/bench putting --during 10s --writers 32",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.during < 100*time.Millisecond || o.writers < 1 {
				return settings.Usagef("--during is at least 100ms, --writers at least 1")
			}
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.DurationVar(&o.during, "during", 5*time.Second, "how long each case is measured")
	flags.IntVar(&o.writers, "writers", 16, "how many writers put at once, beside the one")
	return cmd
}

// A putting is one case: who puts where.
type putting struct {
	writers    int
	namespaces bool // one for each writer, in the place of one for all
	schema     bool
}

func (p putting) String() string {
	where, held := "one namespace", "no schema"
	if p.namespaces {
		where = "a namespace each"
	}
	if p.schema {
		held = "a schema"
	}
	return fmt.Sprintf("%3d writers, %s, %s", p.writers, where, held)
}

func (o puttingOptions) run(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "%-44s %7.0f a second\n", "fsync of a file that grows by 4 KiB", fsyncs(o.during))
	for _, schema := range []bool{false, true} {
		for _, p := range []putting{{1, false, schema}, {o.writers, false, schema}, {o.writers, true, schema}} {
			rate, err := o.measure(ctx, p)
			if err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
			fmt.Fprintf(out, "%-44s %7.0f commits a second\n", p, rate)
		}
	}
	return nil
}

// measure returns how many commits a second were acknowledged.
func (o puttingOptions) measure(ctx context.Context, p putting) (float64, error) {
	f, err := startFleet(ctx, "", 0, 15*time.Second, false)
	if err != nil {
		return 0, err
	}
	defer f.stop()
	f.http.Transport = &http.Transport{MaxIdleConnsPerHost: p.writers}
	defer f.http.CloseIdleConnections()
	for i := range p.writers {
		if p.schema {
			if err := f.send(ctx, p.path("schemas", i), schemaOfCounters); err != nil {
				return 0, err
			}
		}
	}
	var made atomic.Int64
	var group sync.WaitGroup
	failed := make(chan error, p.writers)
	began := time.Now()
	for i := range p.writers {
		group.Go(func() {
			for n := 0; time.Since(began) < o.during; n++ {
				if err := f.send(ctx, p.path("configs", i), fmt.Appendf(nil, `{"count":%d,"name":"writer %d"}`, n, i)); err != nil {
					failed <- err
					return
				}
				made.Add(1)
			}
		})
	}
	group.Wait()
	took := time.Since(began)
	select {
	case err := <-failed:
		return 0, err
	default:
		return float64(made.Load()) / took.Seconds(), nil
	}
}

var schemaOfCounters = []byte(`{"type":"object","required":["count"],"properties":{"count":{"type":"integer","minimum":0},"name":{"type":"string","maxLength":100}},"additionalProperties":false}`)

func (p putting) path(kind string, writer int) string {
	namespace := "bench"
	if p.namespaces {
		namespace = fmt.Sprintf("bench-%d", writer)
	}
	return fmt.Sprintf("/v1/namespaces/%s/%s/writer-%d", namespace, kind, writer)
}

// send puts a document, which must be taken.
func (f *fleet) send(ctx context.Context, path string, document []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, f.controller+path, bytes.NewReader(document))
	if err != nil {
		return fmt.Errorf("put: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	var written struct{ Changed bool }
	if err := f.do(request, &written); err != nil {
		return fmt.Errorf("put %s: %w", path, err)
	}
	if !written.Changed {
		return fmt.Errorf("put %s: nothing was changed", path)
	}
	return nil
}
