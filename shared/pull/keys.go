package pull

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// KeysPath is where the public signing keys are listed.
const KeysPath = "/v1/signing-keys"

// keysTimeout is how long an upstream may take to list its keys.
const keysTimeout = 10 * time.Second

// Keys asks which keys snapshots are signed by. Nobody vouches for the list: what
// of it counts is for the asker to say. It fails with a *Refusal (ErrNotFound
// matches a 404), with an error that wraps config.ErrKeys, and with the
// transport's error.
func (c *Client) Keys(ctx context.Context) (config.Keys, error) {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(c.Base, "/")+KeysPath, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for the signing keys: %w", err)
	}
	if c.Agent != "" {
		request.Header.Set(headerAgent, c.Agent)
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask for the signing keys: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, NewRefusal(response)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, config.MaxKeysBody+1))
	if err != nil {
		return nil, fmt.Errorf("read the signing keys: %w", err)
	}
	return config.ParseKeys(body)
}
