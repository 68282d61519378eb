package usecase_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
)

// A drawer keeps receipts in memory.
type drawer struct {
	kept map[domain.Request]domain.Receipt
	fail error
}

func (d *drawer) Receipt(_ context.Context, r domain.Request, since time.Time) (*domain.Receipt, error) {
	if kept, ok := d.kept[r]; ok && kept.At.After(since) {
		return &kept, d.fail
	}
	return nil, d.fail
}

func (d *drawer) KeepReceipt(_ context.Context, r domain.Receipt) error {
	d.kept[r.Request] = r
	return d.fail
}

func TestReceipts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &drawer{kept: map[domain.Request]domain.Receipt{}}
		receipts := usecase.NewReceipts(store)
		request, sum := domain.Request{Key: "k"}, domain.SumOf("1")
		first, end, err := receipts.Begin(t.Context(), request, sum)
		if first != nil || err != nil {
			t.Fatalf("%+v, %v", first, err)
		}
		waited := make(chan *domain.Receipt)
		go func() {
			kept, end, err := receipts.Begin(t.Context(), request, sum)
			if err != nil {
				t.Error(err)
			}
			end()
			waited <- kept
		}()
		if _, other, err := receipts.Begin(t.Context(), domain.Request{Key: "other"}, sum); err != nil {
			t.Error(err)
		} else {
			other() // another request waits for nobody
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := receipts.Begin(ctx, request, sum); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nobody waits longer than he likes: %v", err)
		}
		if err := receipts.Keep(t.Context(), domain.Receipt{Request: request, Sum: sum, Answer: []byte("done"), At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		end()
		if kept := <-waited; kept == nil || string(kept.Answer) != "done" {
			t.Errorf("who waited is answered anew: %+v", kept)
		}
		if _, _, err := receipts.Begin(t.Context(), request, domain.SumOf("2")); !errors.Is(err, usecase.ErrOtherRequest) {
			t.Errorf("%v", err)
		}
		time.Sleep(24*time.Hour - time.Second)
		for _, want := range []bool{true, false} {
			kept, end, err := receipts.Begin(t.Context(), request, sum)
			if err != nil || (kept != nil) != want {
				t.Errorf("%+v, %v, want one: %t", kept, err, want)
			}
			end()
			time.Sleep(2 * time.Second)
		}
		store.fail = usecase.ErrUnavailable
		for range 2 { // the turn is given back
			if _, _, err := receipts.Begin(t.Context(), request, sum); !errors.Is(err, usecase.ErrUnavailable) {
				t.Error(err)
			}
		}
	})
}
