package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

const (
	postTimeout = 10 * time.Second
	maxAnswer   = 1 << 20
)

// Register tells upstream who the agent is. It returns the poll interval and the
// namespaces that are assigned to it.
func (u *Upstream) Register(ctx context.Context, profile domain.Profile) (time.Duration, []config.Name, error) {
	var answer struct {
		Interval   float64             `json:"poll_interval_seconds"`
		Namespaces []config.Name       `json:"namespaces"`
		Accepted   []domain.Acceptance `json:"accepted"`
	}
	err := u.try(ctx, func(c *pull.Client) error { return u.post(ctx, c, "/v1/agents", profile, &answer, u.options.ID) })
	if errors.Is(err, pull.ErrNotFound) {
		err = fmt.Errorf("%w: %w", domain.ErrAbsent, err)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("register: %w", err)
	}
	for _, accepted := range answer.Accepted {
		u.options.Accept(accepted)
	}
	return time.Duration(min(max(answer.Interval, 0), 86_400) * float64(time.Second)), answer.Namespaces, nil
}

// Report hands reports upward: to a controller under the agent's name, to an
// agent, which hands them on, as a worker would.
func (u *Upstream) Report(ctx context.Context, reports config.Reports) error {
	return u.try(ctx, func(c *pull.Client) error {
		err := u.post(ctx, c, "/v1/agents/"+u.options.ID+"/reports", reports, nil, u.options.ID)
		if errors.Is(err, pull.ErrNotFound) {
			err = u.post(ctx, c, "/v1/reports", reports, nil, u.options.ID)
		}
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
		return nil
	})
}

// Pass hands the registration of an agent below on.
func (u *Upstream) Pass(ctx context.Context, registration []byte, path []string) ([]byte, error) {
	var answer json.RawMessage
	err := u.try(ctx, func(c *pull.Client) error {
		return u.post(ctx, c, "/v1/agents", json.RawMessage(registration), &answer, path...)
	})
	if err != nil && !answered(err) {
		err = fmt.Errorf("%w: %w", domain.ErrAway, err)
	}
	return answer, err
}

// Seen tells which agents below live. An agent above that keeps no register has no
// use for it.
func (u *Upstream) Seen(ctx context.Context, seen []config.Seen) (domain.Heard, error) {
	var heard domain.Heard
	err := u.try(ctx, func(c *pull.Client) error {
		return u.post(ctx, c, "/v1/agents/"+u.options.ID+"/reports", config.Reports{Seen: seen}, &heard, u.options.ID)
	})
	return heard, err
}

func (u *Upstream) post(ctx context.Context, c *pull.Client, path string, value, into any, via ...string) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(c.Base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("post %s: %w", path, err)
	}
	request.Header.Set("Content-Type", "application/json")
	pull.SetAgent(request.Header, c.Agent)
	pull.SetVia(request.Header, via)
	if c.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.Token)
	}
	response, err := u.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		return pull.NewRefusal(response)
	}
	if into == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)) // so that the connection is used again
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("decode the answer of %s: %w", path, err)
	}
	return nil
}
