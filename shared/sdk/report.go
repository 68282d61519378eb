package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

// report tells verdicts by HTTP. It fails as post does.
func (t *teller) report(ctx context.Context, vs config.Verdicts) error {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	return t.post(ctx, config.Reports{Applied: vs})
}

// post sends reports to the agent. It fails with a *pull.Refusal, or with the
// transport's error.
func (t *teller) post(ctx context.Context, reports config.Reports) error {
	body, err := json.Marshal(reports)
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(t.client.Base, "/")+"/v1/reports", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	if t.client.Token != "" {
		request.Header.Set("Authorization", "Bearer "+t.client.Token)
	}
	response, err := t.client.HTTP.Do(request)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		return pull.NewRefusal(response)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 16<<10)) // so that the connection serves again
	return nil
}
