package usecase_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

// An outbox keeps rows in memory.
type outbox struct {
	mu   sync.Mutex
	rows []usecase.Announcement
	next int64
}

func (o *outbox) add(namespace config.Name, revision config.Revision) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next++
	o.rows = append(o.rows, usecase.Announcement{ID: o.next, Namespace: namespace, Position: config.Position{Epoch: "01E", Revision: revision}})
}

func (o *outbox) Pending(_ context.Context, after int64, limit int) ([]usecase.Announcement, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var pending []usecase.Announcement
	for _, row := range o.rows {
		if row.ID > after && len(pending) < limit {
			pending = append(pending, row)
		}
	}
	return pending, nil
}

func (o *outbox) Drop(_ context.Context, upTo int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rows = slices.DeleteFunc(o.rows, func(row usecase.Announcement) bool { return row.ID <= upTo })
	return nil
}

func (o *outbox) left() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.rows)
}

// A publisher remembers what was told, and fails while it is down.
type publisher struct {
	mu    sync.Mutex
	down  bool
	tries int
	told  []string
	last  events.ConfigChanged
}

func (p *publisher) Publish(_ context.Context, e events.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries++
	if p.down {
		return errors.New("no bus")
	}
	p.told = append(p.told, e.ID())
	p.last = e.(events.ConfigChanged)
	return nil
}

func (p *publisher) set(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

func (p *publisher) attempts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tries
}

// newest is what was told last.
func (p *publisher) newest() events.ConfigChanged {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// said returns what was told since it was last asked.
func (p *publisher) said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	told := p.told
	p.told = nil
	return told
}

// nothing has no snapshot in memory: a row is announced as it is.
type nothing struct{}

func (nothing) Latest(context.Context, config.Name) (*config.Snapshot, <-chan struct{}, error) {
	return nil, nil, domain.ErrNotFound
}

// inBubble runs a relay in a synctest bubble.
func inBubble(t *testing.T, test func(t *testing.T, o *outbox, p *publisher, r *usecase.Relay, stop func())) {
	synctest.Test(t, func(t *testing.T) {
		o, p := &outbox{}, &publisher{}
		relay := usecase.NewRelay(o, p, nothing{}, 0, quiet)
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() { relay.Run(ctx) })
		stop := func() { cancel(); group.Wait() }
		defer stop()
		test(t, o, p, relay, stop)
	})
}

func TestRelayTellsInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, o *outbox, p *publisher, r *usecase.Relay, _ func()) {
		for i := range config.Revision(3) {
			o.add("payments", i+1)
			r.Wake()
			synctest.Wait()
		}
		if got := fmt.Sprint(p.said()); got != "[payments@1 payments@2 payments@3]" {
			t.Errorf("told %s", got)
		}
		time.Sleep(2 * time.Second)
		if o.left() != 0 || len(p.said()) != 0 || r.Pending() != 0 {
			t.Errorf("%d rows left, %d pending", o.left(), r.Pending())
		}
	})
}

func TestRelayTellsWhatAnEarlierRunLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, p := &outbox{}, &publisher{}
		o.add("payments", 1)
		o.add("audit", 1)
		o.add("payments", 2)
		ctx, cancel := context.WithCancel(t.Context())
		go usecase.NewRelay(o, p, nothing{}, 0, quiet).Run(ctx)
		synctest.Wait()
		if got := fmt.Sprint(p.said()); got != "[audit@1 payments@2]" {
			t.Errorf("told %s, want the newest of each namespace alone", got)
		}
		cancel()
	})
}

func TestRelayThroughAnOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, o *outbox, p *publisher, r *usecase.Relay, _ func()) {
		p.set(true)
		for i := range config.Revision(500) {
			o.add("payments", i+1)
			r.Wake()
			time.Sleep(100 * time.Millisecond)
		}
		if p.attempts() > 60 {
			t.Errorf("%d attempts in 50 s: news must not cut the backoff short", p.attempts())
		}
		if r.Pending() == 0 {
			t.Error("nothing is pending, it says")
		}
		p.set(false)
		r.Healed()
		synctest.Wait()
		if got := fmt.Sprint(p.said()); got != "[payments@500]" {
			t.Errorf("told %s, want the newest alone, and at once", got)
		}
		o.add("payments", 501)
		r.Wake()
		synctest.Wait()
		if got := fmt.Sprint(p.said()); got != "[payments@501]" {
			t.Errorf("told %s", got)
		}
	})
}

func TestRelayRetriesByItself(t *testing.T) {
	inBubble(t, func(t *testing.T, o *outbox, p *publisher, r *usecase.Relay, _ func()) {
		p.set(true)
		o.add("payments", 1)
		r.Wake()
		time.Sleep(time.Minute)
		p.set(false)
		time.Sleep(6 * time.Second)
		if got := fmt.Sprint(p.said()); got != "[payments@1]" {
			t.Errorf("told %s", got)
		}
	})
}

func TestRelayFlushesAtTheStop(t *testing.T) {
	inBubble(t, func(t *testing.T, o *outbox, p *publisher, r *usecase.Relay, stop func()) {
		synctest.Wait()
		o.add("payments", 1) // and nobody wakes it
		stop()
		if got := fmt.Sprint(p.said()); got != "[payments@1]" || o.left() != 0 {
			t.Errorf("told %s, %d rows left", got, o.left())
		}
	})
}

func TestRelayKeepsWhatItCouldNotTell(t *testing.T) {
	inBubble(t, func(t *testing.T, o *outbox, p *publisher, r *usecase.Relay, stop func()) {
		p.set(true)
		o.add("payments", 1)
		r.Wake()
		time.Sleep(10 * time.Second)
		tries := p.attempts()
		stop()
		if o.left() != 1 || p.attempts() != tries {
			t.Errorf("%d rows left, %d attempts at the stop", o.left(), p.attempts()-tries)
		}
	})
}

// TestRelaySaysWhatIsServed: an announcement has the ETag of the newest snapshot,
// and never a revision that is not served yet.
func TestRelaySaysWhatIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, p := &outbox{}, &publisher{}
		configs := configsOf(t, newMemory())
		relay := usecase.NewRelay(o, p, configs, 250*time.Millisecond, quiet)
		commit(t, configs, "payments", put("limits", `1`))
		commit(t, configs, "payments", put("limits", `2`))
		o.add("payments", 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go relay.Run(ctx)
		synctest.Wait()
		latest, _, _ := configs.Latest(ctx, "payments")
		if e := p.newest(); e.Revision != 2 || e.ETag != latest.ETag || e.Epoch != "01E" || e.SpreadMS != 250 || e.PublishedAt.IsZero() {
			t.Errorf("%+v", e)
		}
	})
}
