package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// A position is the ID of an entry in a stream.
type position struct{ time, sequence uint64 }

// beginning is before every entry.
var beginning position

func (p position) String() string { return fmt.Sprintf("%d-%d", p.time, p.sequence) }

func (p position) before(q position) bool {
	return cmp.Or(cmp.Compare(p.time, q.time), cmp.Compare(p.sequence, q.sequence)) < 0
}

func parsePosition(id string) (position, error) {
	before, after, _ := strings.Cut(id, "-")
	time, err := strconv.ParseUint(before, 10, 64)
	if err != nil {
		return position{}, fmt.Errorf("an entry's ID: %w", err)
	}
	sequence, err := strconv.ParseUint(after, 10, 64)
	if err != nil {
		return position{}, fmt.Errorf("an entry's ID: %w", err)
	}
	return position{time, sequence}, nil
}

// lastOf asks Redis for the last ID that a stream gave; a stream that is not
// there gave none.
func lastOf(ctx context.Context, client *redis.Client, stream string) (position, error) {
	info, err := client.XInfoStream(ctx, stream).Result()
	if err != nil {
		if reply, ok := errors.AsType[redis.Error](err); ok && strings.Contains(reply.Error(), "no such key") {
			return beginning, nil
		}
		return beginning, err
	}
	return parsePosition(info.LastGeneratedID)
}
