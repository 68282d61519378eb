package bus

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ErrURL is what every refused URL of a bus is.
var ErrURL = errors.New("bus must be redis://HOST:PORT, rediss://, redis+pubsub://, rediss+pubsub:// " +
	"(each with an optional /DB and ?prefix=), memory://NAME or none")

type kind int

const (
	kindNone kind = iota
	kindMemory
	kindStream
	kindPubSub
)

// A target is what a URL says.
type target struct {
	kind   kind
	name   string // of a bus in memory
	redis  *redis.Options
	prefix string // before every topic
}

// initial is the state before anything was tried.
func (t target) initial() State {
	switch t.kind {
	case kindNone:
		return None
	case kindMemory:
		return OK
	}
	return Down
}

// parse reads the URL. Its errors never repeat the URL: there may be a password
// in any part of one that is wrong.
func parse(rawURL string) (target, error) {
	if rawURL == "" || rawURL == "none" {
		return target{}, nil
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return target{}, refuse("this is no URL")
	}
	to := target{prefix: u.Query().Get("prefix")}
	for key := range u.Query() {
		if key != "prefix" {
			return target{}, refuse(fmt.Sprintf("unknown parameter %q", key))
		}
	}
	scheme, over, _ := strings.Cut(u.Scheme, "+")
	switch {
	case u.Scheme == "memory":
		to.kind, to.name = kindMemory, u.Host+u.Path
		return to, nil
	case scheme != "redis" && scheme != "rediss", over != "" && over != "pubsub":
		return target{}, refuse("this is none of these")
	case over == "pubsub":
		to.kind = kindPubSub
	default:
		to.kind = kindStream
	}
	to.redis, err = redisOptions(u, scheme)
	return to, err
}

func redisOptions(u *url.URL, scheme string) (*redis.Options, error) {
	if u.Hostname() == "" {
		return nil, refuse("the host is missing")
	}
	if db := strings.Trim(u.Path, "/"); db != "" {
		if _, err := strconv.ParseUint(db, 10, 31); err != nil {
			return nil, refuse("after the host comes the number of a database")
		}
	}
	plain := url.URL{Scheme: scheme, User: u.User, Host: u.Host, Path: u.Path}
	options, err := redis.ParseURL(plain.String())
	if err != nil {
		return nil, refuse("Redis takes no such address")
	}
	return options, nil
}

func refuse(why string) error { return fmt.Errorf("%w: %s", ErrURL, why) }
