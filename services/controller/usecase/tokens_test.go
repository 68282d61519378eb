package usecase_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
)

// A safe is a Vault in memory.
type safe struct {
	tokens map[string]domain.Token
	told   []domain.Entry
	err    error

	mu   sync.Mutex
	used map[string]time.Time
}

func (v *safe) uses() map[string]time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.used
}

func (v *safe) LoadTokens(context.Context) (tokens []domain.Token, err error) {
	for _, token := range v.tokens {
		tokens = append(tokens, token)
	}
	return tokens, v.err
}

func (v *safe) SaveTokens(_ context.Context, tokens []domain.Token, told []domain.Entry) error {
	if v.err != nil {
		return v.err
	}
	for _, token := range tokens {
		v.tokens[token.ID] = token
	}
	v.told = append(v.told, told...)
	return nil
}

func (v *safe) TokensUsed(_ context.Context, used map[string]time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.used = used
	return v.err
}

func newTokens(t *testing.T, v *safe, given string) *usecase.Tokens {
	t.Helper()
	if v.tokens == nil {
		v.tokens = map[string]domain.Token{}
	}
	tokens, err := usecase.NewTokens(t.Context(), v, given, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func asked(name string, role domain.Role) domain.Token {
	return domain.Token{Name: name, Role: role, Namespaces: domain.AllNamespaces}
}

var boss = domain.Actor{Name: "boss", Role: domain.Admin}

func TestTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := newTokens(t, &safe{}, "outside")
		short := asked("ci", domain.Reader)
		short.ExpiresAt = time.Now().Add(time.Hour)
		made, secret, err := tokens.Create(t.Context(), boss, short)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour - time.Millisecond)
		if _, err := tokens.Authenticate(secret); err != nil || tokens.Live(made.ID) != nil {
			t.Error("ended too early:", err)
		}
		next, second, err := tokens.Create(t.Context(), boss, asked("ci", domain.Reader)) // two alive, to rotate
		if err != nil {
			t.Fatal(err)
		}
		for _, alive := range []string{secret, second} {
			if meant, err := tokens.Authenticate(alive); err != nil || meant.Name != "ci" {
				t.Errorf("%v of %q while both are alive", err, meant.Name)
			}
		}
		time.Sleep(time.Millisecond)
		if _, err := tokens.Authenticate(second); err != nil || tokens.Live(next.ID) != nil {
			t.Error("the next ended with the former:", err)
		}
		if meant, err := tokens.Authenticate(secret); !errors.Is(err, domain.ErrUnauthorized) || meant.Name != "ci" || tokens.Live(made.ID) == nil {
			t.Errorf("%v of %q after its end", err, meant.Name)
		}
	})
}

// TestNothingCountsThatIsNotKept: a token that could not be kept opens nothing, and
// one whose revocation could not be kept still counts.
func TestNothingCountsThatIsNotKept(t *testing.T) {
	v := &safe{}
	tokens := newTokens(t, v, "outside")
	made, secret, err := tokens.Create(t.Context(), boss, asked("ci", domain.Reader))
	if err != nil {
		t.Fatal(err)
	}
	v.err = usecase.ErrUnavailable
	if _, other, err := tokens.Create(t.Context(), boss, asked("other", domain.Reader)); !errors.Is(err, usecase.ErrUnavailable) || other != "" {
		t.Errorf("%q, %v", other, err)
	}
	if _, err := tokens.Revoke(t.Context(), boss, made.ID); !errors.Is(err, usecase.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := tokens.Authenticate(secret); err != nil {
		t.Error("it was not revoked:", err)
	}
	v.err = nil
	if _, err := tokens.Revoke(t.Context(), boss, made.ID); err != nil {
		t.Error(err)
	}
	var told []string
	for _, e := range v.told {
		told = append(told, e.Actor.Name+" "+e.Action+" "+e.Detail)
	}
	if want := []string{"boss token.create reader ci for *", "boss token.revoke reader ci for *"}; !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
}

func TestNobodyIsLockedOut(t *testing.T) {
	v := &safe{}
	tokens := newTokens(t, v, "")
	if tokens.Exist() {
		t.Error("there are none yet")
	}
	if token, err := tokens.Authenticate("whatever"); err != nil || token.Actor() != domain.Anonymous {
		t.Errorf("%+v, %v", token, err)
	}
	if _, _, err := tokens.Create(t.Context(), boss, asked("r", domain.Reader)); !errors.Is(err, usecase.ErrFirstAdmin) {
		t.Error(err)
	}
	made, _, err := tokens.Create(t.Context(), boss, asked("a", domain.Admin))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Revoke(t.Context(), boss, made.ID); err != nil {
		t.Fatal(err)
	}
	for _, again := range []*usecase.Tokens{tokens, newTokens(t, v, "")} {
		if _, err := again.Authenticate(""); !errors.Is(err, domain.ErrUnauthorized) {
			t.Error("the last token was revoked, and all is open:", err)
		}
	}
	if token, err := newTokens(t, v, "outside").Authenticate("outside"); err != nil || token.Role != domain.Admin {
		t.Error("the way back in is shut:", err)
	}
}

func TestBootstrapIsDoneOnce(t *testing.T) {
	v := &safe{}
	tokens := newTokens(t, v, "")
	all := []domain.Token{asked("admin", domain.Admin), asked("agent", domain.AgentRole)}
	full := errors.New("no room")
	if made, err := tokens.Bootstrap(t.Context(), all, func(map[string]string) error { return full }); made || !errors.Is(err, full) || tokens.Exist() {
		t.Errorf("%v, %v: tokens that nobody has must not count", made, err)
	}
	var handed map[string]string
	hand := func(secrets map[string]string) error { handed = secrets; return nil }
	if made, err := tokens.Bootstrap(t.Context(), all, hand); !made || err != nil || len(handed) != 2 {
		t.Fatal(made, err, len(handed))
	}
	for name, secret := range handed {
		if token, err := tokens.Authenticate(secret); err != nil || token.Name != name {
			t.Errorf("%s: %+v %v", name, token, err)
		}
	}
	if made, err := newTokens(t, v, "").Bootstrap(t.Context(), all, func(map[string]string) error { panic("again") }); made || err != nil {
		t.Error(made, err)
	}
}

func TestUseIsKeptOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &safe{}
		tokens := newTokens(t, v, "outside")
		made, _, err := tokens.Create(t.Context(), boss, asked("ci", domain.Reader))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go tokens.Run(ctx)
		time.Sleep(10 * time.Second)
		for range 100 {
			tokens.Used(made.ID)
		}
		tokens.Used("")
		tokens.Used("nobody")
		at := time.Now()
		if synctest.Wait(); v.uses() != nil {
			t.Error("a request costs the store a write")
		}
		time.Sleep(time.Minute)
		if synctest.Wait(); len(v.uses()) != 1 || !v.uses()[made.ID].Equal(at) {
			t.Errorf("kept %v, used at %s", v.uses(), at)
		}
		tokens.Used(made.ID)
		last := time.Now()
		cancel()
		if synctest.Wait(); !v.uses()[made.ID].Equal(last) {
			t.Error("the last use is lost at a stop")
		}
		if listed := tokens.List("", 10); len(listed) != 1 || !listed[0].LastUsedAt.Equal(last) {
			t.Errorf("%+v", listed)
		}
	})
}

// A ledger is a Journal in memory.
type ledger struct {
	mu      sync.Mutex
	entries []domain.Entry
	err     error
}

func (l *ledger) AppendEntries(_ context.Context, entries []domain.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.entries = append(l.entries, entries...)
	}
	return l.err
}

func (l *ledger) Entries(context.Context, int64, int) ([]domain.Entry, domain.AuditHead, error) {
	return l.entries, domain.AuditHead{}, l.err
}

func refused(name, detail string) domain.Entry {
	return domain.Entry{At: time.Now(), Actor: domain.Actor{Name: name}, Action: "PUT", Outcome: "forbidden", Detail: detail}
}

func TestRefusalsThatAreAlikeAreOneEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		audit := usecase.NewAudit(l, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		go audit.Run(ctx)
		for i := range 3 {
			audit.Refused(refused("a", "why"))
			audit.Refused(refused("b", fmt.Sprint(i%2)))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		var told []string
		for _, e := range l.entries {
			told = append(told, e.Actor.Name+" "+e.Detail)
		}
		if want := []string{"a why (3 times)", "b 0 (2 times)", "b 1"}; !slices.Equal(told, want) {
			t.Errorf("%q", told)
		}
		audit.Refused(refused("a", "why"))
		cancel()
		if synctest.Wait(); len(l.entries) != 4 {
			t.Error("the last is lost at a stop")
		}
	})
}

// TestFloodOfRefusals: it is counted, so that nobody fills the disk from outside.
func TestFloodOfRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		audit := usecase.NewAudit(l, slog.New(slog.DiscardHandler))
		for second := range 60 {
			for i := range 2_000 {
				audit.Refused(refused("a", fmt.Sprint(second, i)))
			}
			time.Sleep(time.Second)
			if _, _, err := audit.Entries(t.Context(), 0, 1); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(l.entries); n < 1_000 || n > 2_000 {
			t.Errorf("120 000 refusals made %d entries", n)
		}
		if last := l.entries[len(l.entries)-1]; last.Outcome != "counted" || !strings.Contains(last.Detail, "19") {
			t.Errorf("%+v", last)
		}
	})
}

func TestRefusalsWaitForTheStore(t *testing.T) {
	l := &ledger{err: usecase.ErrUnavailable}
	audit := usecase.NewAudit(l, slog.New(slog.DiscardHandler))
	audit.Refused(refused("a", "why"))
	if _, _, err := audit.Entries(t.Context(), 0, 1); !errors.Is(err, usecase.ErrUnavailable) {
		t.Error(err)
	}
	l.err = nil
	if entries, _, err := audit.Entries(t.Context(), 0, 1); err != nil || len(entries) != 1 || entries[0].Detail != "why" {
		t.Errorf("%+v, %v", entries, err)
	}
}
