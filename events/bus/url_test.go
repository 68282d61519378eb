package bus

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestURLs(t *testing.T) {
	for url, want := range map[string]target{
		"":                                       {},
		"none":                                   {},
		"memory://":                              {kind: kindMemory},
		"memory://up?prefix=a.":                  {kind: kindMemory, name: "up", prefix: "a."},
		"redis://localhost":                      {kind: kindStream},
		"redis://u:p@localhost:6380/2?prefix=h-": {kind: kindStream, prefix: "h-"},
		"rediss://localhost:6379":                {kind: kindStream},
		"redis+pubsub://localhost:6379/":         {kind: kindPubSub},
		"rediss+pubsub://[::1]:6379/1?prefix=a:b": {kind: kindPubSub, prefix: "a:b"},
	} {
		got, err := parse(url)
		if err != nil || got.kind != want.kind || got.name != want.name || got.prefix != want.prefix {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
		if overTLS := strings.HasPrefix(url, "rediss"); got.redis != nil && (got.redis.TLSConfig != nil) != overTLS {
			t.Errorf("%s: over TLS is %v", url, !overTLS)
		}
	}
	got, err := parse("redis://user:pass@redis.example:6380/2?prefix=h-")
	if o := got.redis; err != nil || o.Addr != "redis.example:6380" || o.Username != "user" || o.Password != "pass" || o.DB != 2 {
		t.Errorf("%+v, %v", got.redis, err)
	}
}

func TestWrongURLsSayWhatIsMeantAndNoPassword(t *testing.T) {
	for url, why := range map[string]string{
		"localhost:6379":                     "none of these",
		"kafka://:s3cret@localhost":          "none of these",
		"redis+stream://:s3cret@localhost":   "none of these",
		"memory+pubsub://x":                  "none of these",
		"redis://":                           "host is missing",
		"redis://:s3cret@:6379":              "host is missing",
		"redis://:s3cret@localhost:port":     "no URL",
		"redis://:s3cret%zz@localhost":       "no URL",
		"redis://:s3/cret@localhost":         "no URL",
		"redis://user:s3cret@localhost/cret": "number of a database",
		"redis://localhost/-1":               "number of a database",
		"redis://localhost/1/2":              "number of a database",
		"redis://:s3cret@localhost?perfix=a": `unknown parameter "perfix"`,
		"memory://x?db=1":                    `unknown parameter "db"`,
	} {
		_, err := Open(url, slog.New(slog.DiscardHandler))
		if !errors.Is(err, ErrURL) {
			t.Errorf("%s: %v", url, err)
			continue
		}
		said := err.Error()
		if !strings.Contains(said, why) || strings.Contains(said, "cret") || strings.Contains(said, "\n") {
			t.Errorf("%s: it says %s", url, said)
		}
	}
}
