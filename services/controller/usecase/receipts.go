package usecase

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
)

// ErrOtherRequest means that a key was used for a request that says something else.
var ErrOtherRequest = errors.New("this Idempotency-Key was used for another request")

// A ReceiptStore keeps receipts. Its errors wrap ErrUnavailable or ErrStorageFull.
type ReceiptStore interface {
	// Receipt returns the receipt of a request, unless it is older than that; nil
	// for none.
	Receipt(ctx context.Context, request domain.Request, since time.Time) (*domain.Receipt, error)
	// KeepReceipt keeps a receipt.
	KeepReceipt(ctx context.Context, receipt domain.Receipt) error
}

// Receipts see to it that a request with a key is done once, however often it is
// sent. The receipt of a commit is kept with the commit; Keep is for the rest.
type Receipts struct {
	store ReceiptStore
	mu    sync.Mutex
	turns map[domain.Request]*turn
}

// A turn is a request that is being answered, and who waits to be answered the same.
type turn struct {
	busy  chan struct{}
	users int
}

// NewReceipts returns the receipts of a store.
func NewReceipts(store ReceiptStore) *Receipts {
	return &Receipts{store: store, turns: map[domain.Request]*turn{}}
}

// Begin waits until nobody else is at the same request, and returns its receipt, or
// nil where it is to be done now. The caller calls end when it is answered. The
// error wraps ErrOtherRequest, or is one of the store or of ctx.
func (r *Receipts) Begin(ctx context.Context, request domain.Request, sum domain.Hash) (receipt *domain.Receipt, end func(), err error) {
	end, err = r.take(ctx, request)
	if err != nil {
		return nil, nil, err
	}
	receipt, err = r.store.Receipt(ctx, request, time.Now().Add(-domain.ReceiptsFor))
	if err == nil && receipt != nil && receipt.Sum != sum {
		err = fmt.Errorf("%w, at %s: a new request needs a new key", ErrOtherRequest, receipt.At.UTC().Format(time.RFC3339))
	}
	if err != nil {
		end()
		return nil, nil, err
	}
	return receipt, end, nil
}

// Keep keeps the receipt of a request that made no commit.
func (r *Receipts) Keep(ctx context.Context, receipt domain.Receipt) error {
	return r.store.KeepReceipt(context.WithoutCancel(ctx), receipt)
}

// take takes the turn of a request, and returns what gives it back.
func (r *Receipts) take(ctx context.Context, request domain.Request) (func(), error) {
	r.mu.Lock()
	t, ok := r.turns[request]
	if !ok {
		t = &turn{busy: make(chan struct{}, 1)}
		r.turns[request] = t
	}
	t.users++
	r.mu.Unlock()
	leave := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(r.turns, request)
		}
	}
	select {
	case t.busy <- struct{}{}:
		return func() { <-t.busy; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
