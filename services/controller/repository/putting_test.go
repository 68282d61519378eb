package repository_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/schema"
)

// An unaudited store keeps commits without telling the audit.
type unaudited struct{ *repository.Store }

func (s unaudited) Update(ctx context.Context, namespace config.Name, revise func(domain.Namespace) (domain.Commit, error)) (domain.Commit, error) {
	return s.UpdateUnaudited(ctx, namespace, revise)
}

// A putting is one way to keep commits.
type putting struct {
	audit, schema bool
}

func (p putting) String() string {
	with := map[bool]string{true: "with", false: "without"}
	return fmt.Sprintf("%s audit, %s schema", with[p.audit], with[p.schema])
}

var puttings = []putting{{true, true}, {true, false}, {false, true}, {false, false}}

// BenchmarkPutting measures what the audit and a schema cost: commits a second that
// are on disk before they are answered, by one writer and by sixteen. All four ways
// take turns of a moment each, so that a slow moment of the machine is everybody's,
// and the ratios are the medians of those within a round.
//
//	go test ./services/controller/repository -run '^$' -bench Putting -benchtime 10x
func BenchmarkPutting(b *testing.B) {
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			var ways []*usecase.Configs
			for _, p := range puttings {
				ways = append(ways, p.open(b))
			}
			rates := make([][]float64, len(ways))
			for round := 0; b.Loop(); round++ {
				for turn := range ways { // nobody is always the first
					i := (turn + round) % len(ways)
					rates[i] = append(rates[i], puts(b, ways[i], writers, round))
				}
			}
			report(b, writers, rates)
		})
	}
}

const turn = 500 * time.Millisecond

func (p putting) open(b *testing.B) *usecase.Configs {
	b.Helper()
	store, err := repository.Open(b.Context(), filepath.Join(b.TempDir(), "c.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	keeper := usecase.Store(store)
	if !p.audit {
		keeper = unaudited{store}
	}
	configs, err := usecase.NewConfigs(b.Context(), keeper, store, store, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	configs.HoldTo(usecase.NewSchemas(store, store, func(all map[config.Name][]byte) usecase.SchemaSet { return schema.Read(all) }))
	if !p.schema {
		return configs
	}
	var schemas []domain.Change
	for writer := range 16 {
		schemas = append(schemas, domain.Change{Op: domain.PutSchema, Name: nameOf(writer), Document: config.Document{
			MediaType: "application/schema+json",
			Body:      []byte(`{"type":"object","required":["count"],"properties":{"count":{"type":"integer","minimum":0},"name":{"type":"string","maxLength":100}},"additionalProperties":false}`),
		}})
	}
	if _, err := configs.Commit(b.Context(), "bench", domain.Proposal{Schemas: schemas}); err != nil {
		b.Fatal(err)
	}
	return configs
}

func nameOf(writer int) config.Name { return config.Name(fmt.Sprintf("writer-%d", writer)) }

// puts returns how many commits a second were acknowledged in one turn.
func puts(b *testing.B, configs *usecase.Configs, writers, round int) float64 {
	b.Helper()
	var made atomic.Int64
	var group sync.WaitGroup
	began := time.Now()
	for writer := range writers {
		group.Go(func() {
			for n := 0; time.Since(began) < turn; n++ {
				document := config.Document{MediaType: "application/json", Body: fmt.Appendf(nil, `{"count":%d,"name":"round %d"}`, n, round)}
				change := domain.Change{Op: domain.Put, Name: nameOf(writer), Document: document}
				commit, err := configs.Commit(b.Context(), "bench", domain.Proposal{Author: "bench", Changes: []domain.Change{change}})
				if err != nil || !commit.Changed() {
					b.Errorf("%+v %v", commit.Position, err)
					return
				}
				made.Add(1)
			}
		})
	}
	group.Wait()
	return float64(made.Load()) / time.Since(began).Seconds()
}

// report prints the rate of each way, and its part of that of the barest.
func report(b *testing.B, writers int, rates [][]float64) {
	b.Helper()
	var table strings.Builder
	barest := rates[len(rates)-1]
	for i, p := range puttings {
		parts := make([]float64, len(barest))
		for round := range barest {
			parts[round] = rates[i][round] / barest[round]
		}
		fmt.Fprintf(&table, "\n%3d writers, %-30s %6.0f commits a second, %3.0f %% of the barest", writers, p, median(rates[i]), 100*median(parts))
		b.ReportMetric(median(rates[i]), strings.NewReplacer(", ", "+", " ", "-").Replace(p.String())+"/s")
	}
	b.Log(table.String())
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}
