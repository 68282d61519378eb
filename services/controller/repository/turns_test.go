package repository_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

// A meddler is a register that lets somebody write before each piece but the first.
type meddler struct {
	*repository.Store
	between func(pieces int)
	pieces  int
}

func (m *meddler) Save(ctx context.Context, agents []domain.Agent, standings []domain.Standing, told ...domain.Entry) error {
	if m.pieces > 0 {
		m.between(m.pieces)
	}
	m.pieces++
	return m.Store.Save(ctx, agents, standings, told...)
}

// A standing says that every namespace stands at revision 1.
type standing struct{ epoch config.Epoch }

func (s standing) Position(context.Context, config.Name) (config.Position, error) {
	return config.Position{Epoch: s.epoch, Revision: 1}, nil
}

// TestACommitHasItsTurnBetweenTwoPieces of a batch of verdicts: the store is free there,
// and what the commit finds is what the pieces before it left.
func TestACommitHasItsTurnBetweenTwoPieces(t *testing.T) {
	s := fresh(t)
	commit(t, s, "payments", put("limits", `0`))
	const workers = 1000
	var found []int
	m := &meddler{Store: s, between: func(pieces int) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err := s.Update(ctx, "payments", func(now domain.Namespace) (domain.Commit, error) {
			_, standings, err := s.Load(ctx)
			if err != nil {
				return domain.Commit{}, err
			}
			found = append(found, len(standings))
			return domain.Revise(now, domain.Proposal{Changes: []domain.Change{put("limits", fmt.Sprint(pieces))}}, time.Now())
		})
		if err != nil {
			t.Errorf("after %d pieces: %v", pieces, err)
		}
	}}
	fleet, err := usecase.NewFleet(t.Context(), m, standing{s.Epoch()}, time.Minute, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for i := range workers {
		v := config.Verdict{Worker: fmt.Sprintf("w-%04d", i), Agent: "host-7", Namespace: "payments", Revision: 1, Status: config.Applied}
		if err := fleet.Record(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	fleet.Run(ended) // it keeps what is left, and ends
	_, standings, err := s.Load(t.Context())
	if err != nil || len(standings) != workers {
		t.Errorf("%d of %d are kept: %v", len(standings), workers, err)
	}
	if fmt.Sprint(found) != "[250 500 750]" {
		t.Errorf("the commits found %v verdicts on disk", found)
	}
	if newest, err := s.Newest(t.Context(), "payments"); err != nil || newest.Revision != 4 {
		t.Errorf("payments does not stand at 4: %v", err)
	}
}
