package sinks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Secret gives a secret anew each time, so that it can be changed while the
// process runs. Its errors do not tell it.
type Secret func() (string, error)

// Endpoint is where an HTTP destination is, and how it is called.
type Endpoint struct {
	// URL is asked for each request anew: with some destinations it is a secret.
	URL     Secret
	Headers map[string]string
	// Auth gives the value of the header Authorization; nil: there is none.
	Auth Secret
	// Timeout bounds one request; 0: 10 s.
	Timeout time.Duration
	// Transport makes the requests; nil: http.DefaultTransport.
	Transport http.RoundTripper
}

const (
	defaultTimeout = 10 * time.Second
	// maxAnswer is how much of an answer is read.
	maxAnswer = 64 << 10
	// maxAfter is the longest Retry-After that is believed.
	maxAfter = time.Hour
)

// send makes one request and gives the answer's body. What the destination may
// take another time gives a transient error, what it never will a permanent one.
// 401, 403, 404 and 407 are mistakes on the way to it, not in what is sent, so
// they are transient. Errors name the host alone, since the rest may be a secret.
func (e *Endpoint) send(ctx context.Context, method, path string, header http.Header, body []byte) ([]byte, error) {
	base, err := e.URL()
	if err != nil {
		return nil, fmt.Errorf("URL: %w", err)
	}
	to := base
	if path != "" {
		to = strings.TrimSuffix(base, "/") + path
	}
	timeout := e.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the URL is none")
	}
	for k, v := range e.Headers {
		req.Header.Set(k, v)
	}
	for k, v := range header {
		req.Header[http.CanonicalHeaderKey(k)] = v
	}
	if e.Auth != nil {
		auth, err := e.Auth()
		if err != nil {
			return nil, fmt.Errorf("secret: %w", err)
		}
		req.Header.Set("Authorization", auth)
	}
	client := http.Client{Transport: e.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL
		}
		return nil, fmt.Errorf("%s: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		if err != nil {
			return nil, fmt.Errorf("%s: %w", req.URL.Host, err)
		}
		return answer, nil
	case resp.StatusCode >= 500, slices.Contains([]int{401, 403, 404, 407, 408, 425, 429}, resp.StatusCode):
		return nil, &WriteError{After: retryAfter(resp.Header.Get("Retry-After")), Err: fmt.Errorf("%s answers %d: %s", req.URL.Host, resp.StatusCode, clean(string(answer), 200))}
	}
	return nil, refuse("%s answers %d: %s", req.URL.Host, resp.StatusCode, clean(string(answer), 200))
}

// close ends idle connections.
func (e *Endpoint) close() {
	if t, ok := e.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// retryAfter reads seconds or a date.
func retryAfter(s string) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		return min(time.Duration(min(n, int(maxAfter/time.Second)))*time.Second, maxAfter)
	}
	if t, err := http.ParseTime(s); err == nil {
		return min(max(time.Until(t), 0), maxAfter)
	}
	return 0
}
