package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/segmentio/kafka-go/protocol"
)

// answerTimeout is how long one answer of a broker may take.
const answerTimeout = 10 * time.Second

// dial connects to one broker, through TLS and SASL where that is asked for.
func (c *Cluster) dial(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	d := *c.Dialer
	config, inner := d.TLS, d.DialFunc
	if inner == nil {
		inner = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	var got net.Conn
	d.TLS = nil
	d.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := inner(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if config != nil {
			secured := tls.Client(conn, named(config, address))
			if err := secured.HandshakeContext(ctx); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
			conn = secured
		}
		got = conn
		return conn, nil
	}
	// What it gives speaks of one partition only; what is below it, of all.
	if _, err := d.DialContext(ctx, "tcp", addr); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	return got, nil
}

// named has the certificate checked against the broker's name.
func named(config *tls.Config, address string) *tls.Config {
	config = config.Clone()
	if host, _, err := net.SplitHostPort(address); err == nil && config.ServerName == "" {
		config.ServerName = host
	}
	return config
}

// dialAny connects to the first broker that answers.
func (c *Cluster) dialAny(ctx context.Context) (net.Conn, error) {
	var errs []error
	for _, addr := range c.Brokers {
		conn, err := c.dial(ctx, addr)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

const (
	callRetry   = 50 * time.Millisecond
	callRetries = 40
)

// call does one request of the Client's in its time. Where the client has not
// heard of a topic or its leader yet, so that nothing was sent, it asks again.
func call[R any](ctx context.Context, c *Cluster, what string, do func(context.Context) (R, error)) (R, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	for try := 0; ; try++ {
		r, err := do(ctx)
		if err == nil {
			return r, nil
		}
		if !unsent(err) || try == callRetries {
			return r, fmt.Errorf("%s: %w", what, err)
		}
		c.Refresh()
		t := time.NewTimer(callRetry)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return r, fmt.Errorf("%s: %w", what, err)
		}
	}
}

// unsent reports whether the client did not know where to send a request.
func unsent(err error) bool {
	return errors.Is(err, protocol.ErrNoTopic) || errors.Is(err, protocol.ErrNoPartition) || errors.Is(err, protocol.ErrNoLeader)
}
