package contract

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// Transport returns one that sends requests as the default transport does, and
// reports what Check says of each answer.
func (c *Contract) Transport(report func(error)) http.RoundTripper {
	return transport{contract: c, report: report}
}

type transport struct {
	contract *Contract
	report   func(error)
}

// RoundTrip is http.RoundTripper's.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := r.Clone(r.Context())
	if r.Body != nil {
		sent, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		r.Body, asked.Body = again(sent), again(sent)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	answer.Body = again(body)
	if err := t.contract.Check(asked, answer); err != nil {
		t.report(err)
	}
	answer.Body = again(body)
	return answer, nil
}

func again(body []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(body)) }
