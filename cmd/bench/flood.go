package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

// reportsOf is how many verdicts an agent hands on at once, as a real one does.
const reportsOf = 1000

type floodOptions struct {
	during   time.Duration
	verdicts int
}

func floodCommand() *cobra.Command {
	var o floodOptions
	cmd := &cobra.Command{
		Use:   "flood",
		Short: "How long commits take while a fleet tells thousands of verdicts a second",
		Long: `Runs a controller and puts documents one after the other over HTTP: first alone, then
while simulated agents report verdicts, each of a worker of its own and each about
the newest revision, so that every one of them is news that is kept on disk. It
prints what commits took in both, and whether every verdict was recorded.`,
		Example: "  go run ./cmd/bench flood\n  go run ./cmd/bench flood --verdicts 20000 --during 20s",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.during < time.Second || o.verdicts < reportsOf || o.verdicts%reportsOf != 0 {
				return settings.Usagef("--during is at least 1s, --verdicts a multiple of %d", reportsOf)
			}
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.DurationVar(&o.during, "during", 10*time.Second, "how long each half is measured")
	flags.IntVar(&o.verdicts, "verdicts", 10_000, "verdicts a second, which is how many workers there are")
	return cmd
}

func (o floodOptions) run(ctx context.Context, out io.Writer) error {
	f, err := startFleet(ctx, "", 0, 15*time.Second, false)
	if err != nil {
		return err
	}
	defer f.stop()
	f.http.Transport = &http.Transport{MaxIdleConnsPerHost: o.verdicts / reportsOf}
	defer f.http.CloseIdleConnections()
	alone, err := f.commits(ctx, o.during)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%-36s %s\n", "commits alone", alone)
	flood := &flood{fleet: f}
	stop := flood.begin(ctx, o.verdicts/reportsOf)
	during, err := f.commits(ctx, o.during)
	took := stop()
	if err == nil {
		err = flood.err
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%-36s %s\n", fmt.Sprintf("commits during %.0f verdicts/s", float64(flood.sent.Load())/took.Seconds()), during)
	fmt.Fprintf(out, "p99 during the flood is %.1f times that of commits alone\n", during.at(0.99).Seconds()/alone.at(0.99).Seconds())
	return flood.check(ctx, out, o.verdicts)
}

// latencies are how long each of many took, in order.
type latencies []time.Duration

func (l latencies) at(share float64) time.Duration {
	return l[min(int(float64(len(l))*share), len(l)-1)]
}

func (l latencies) String() string {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return fmt.Sprintf("p50 %6.1f ms   p99 %6.1f ms   most %6.1f ms   (%d)", ms(l.at(0.5)), ms(l.at(0.99)), ms(l[len(l)-1]), len(l))
}

// commits puts documents one after the other, and rests a little between them, so
// that both halves ask as much.
func (f *fleet) commits(ctx context.Context, during time.Duration) (latencies, error) {
	var took latencies
	for began := time.Now(); time.Since(began) < during; time.Sleep(10 * time.Millisecond) {
		f.revision++
		document := fmt.Appendf(nil, `{"count":%d}`, f.revision)
		asked := time.Now()
		if err := f.send(ctx, "/v1/namespaces/bench/configs/limits", document); err != nil {
			return nil, err
		}
		took = append(took, time.Since(asked))
		f.newest.Store(int64(f.revision))
	}
	slices.Sort(took)
	return took, nil
}

// A flood is agents that report.
type flood struct {
	fleet          *fleet
	sent, recorded atomic.Int64
	failed         sync.Once
	err            error
}

// begin lets agents report, each once a second and not all at once; stop ends it,
// and says how long it was.
func (d *flood) begin(ctx context.Context, agents int) (stop func() time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	began := time.Now()
	var group sync.WaitGroup
	for agent := range agents {
		group.Go(func() {
			next := began.Add(time.Duration(agent) * time.Second / time.Duration(agents))
			for ; ; next = next.Add(time.Second) {
				select {
				case <-time.After(time.Until(next)):
				case <-ctx.Done():
					return
				}
				if err := d.report(context.WithoutCancel(ctx), agent); err != nil {
					d.failed.Do(func() { d.err = err })
					return
				}
			}
		})
	}
	return func() time.Duration {
		cancel()
		group.Wait()
		return time.Since(began)
	}
}

// report tells one verdict of each of the agent's workers.
func (d *flood) report(ctx context.Context, agent int) error {
	var reports config.Reports
	for i := range reportsOf {
		reports.Applied = append(reports.Applied, config.Verdict{
			Worker: fmt.Sprintf("worker-%d-%d", agent, i), Namespace: "bench", Revision: config.Revision(d.fleet.newest.Load()),
			Status: config.Applied, At: time.Now(), TookMS: 3,
		})
	}
	body, err := json.Marshal(reports)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	path := fmt.Sprintf("%s/v1/agents/flood-%d/reports", d.fleet.controller, agent)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	var answer struct{ Recorded int64 }
	if err := d.fleet.do(request, &answer); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	d.sent.Add(reportsOf)
	d.recorded.Add(answer.Recorded)
	return nil
}

// check says whether all that was told is known.
func (d *flood) check(ctx context.Context, out io.Writer, workers int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.fleet.controller+"/v1/namespaces/bench/fleet", nil)
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	var fleet struct{ Summary struct{ Workers int } }
	if err := d.fleet.do(request, &fleet); err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	fmt.Fprintf(out, "%d verdicts told, %d recorded; the fleet has %d of %d workers\n", d.sent.Load(), d.recorded.Load(), fleet.Summary.Workers, workers)
	if d.sent.Load() != d.recorded.Load() || fleet.Summary.Workers != workers {
		return fmt.Errorf("verdicts are missing")
	}
	return nil
}
