package eventstest_test

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/heraldconf/herald/events/eventstest"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRedisKillForgetsAndKeepsItsAddress(t *testing.T) {
	server := eventstest.Redis(t)
	client, address := server.Client(), server.Addr()
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if conn, err := net.Dial("tcp", address); err == nil {
		_ = conn.Close()
		t.Fatal("a killed server accepts connections")
	}
	server.Start()
	if server.Addr() != address {
		t.Errorf("address is %s after a restart, was %s", server.Addr(), address)
	}
	if err := client.Get(t.Context(), "k").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("after a restart: %v, want nothing", err)
	}
}

func TestRedisWithAppendOnlyRemembers(t *testing.T) {
	server := eventstest.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	if err := server.Client().Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	server.Start()
	if got, err := server.Client().Get(t.Context(), "k").Result(); got != "v" || err != nil {
		t.Errorf("after a restart: %q, %v", got, err)
	}
}

func TestRedisStopHoldsAndContGoesOn(t *testing.T) {
	server := eventstest.Redis(t)
	server.Stop()
	conn, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 7)
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := conn.Read(answer); !os.IsTimeout(err) {
		t.Fatalf("a held server answered: %q, %v", answer, err)
	}
	server.Cont()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(answer); err != nil || string(answer) != "+PONG\r\n" {
		t.Errorf("after Cont: %q, %v", answer, err)
	}
}
