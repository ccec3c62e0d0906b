package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
)

const (
	// dialTimeout bounds a connection with its handshakes, and requestTimeout
	// one request.
	dialTimeout    = 5 * time.Second
	requestTimeout = 10 * time.Second
	// metadataTTL is the longest time for which a change of leaders can go
	// unnoticed while nothing fails; a failure looks at once.
	metadataTTL = 5 * time.Second
)

// ConnectOptions say how a Kafka cluster is reached. Brokers is required.
// Secrets, certificates and authorities are read from files, for each connection
// anew, so they can be changed while the program runs.
type ConnectOptions struct {
	Brokers  []string // host:port; any of the cluster will do
	ClientID string   // shows in the broker's logs, metrics and quotas
	TLS      TLSOptions
	SASL     SASLOptions
	// Topics are all that will be used; empty: any, at the cost of the whole
	// cluster's metadata every few seconds.
	Topics []string
	// Patience is how long Cluster.Do tries again; 0: 30 s.
	Patience time.Duration
	// Logger is told of what is tried again. The zero value is silent.
	Logger zerolog.Logger
}

// CheckBroker says what is wrong with the address of a broker.
func CheckBroker(s string) error {
	const want = "give a broker as host:port, such as localhost:9092"
	host, port, err := net.SplitHostPort(s)
	switch {
	case strings.Contains(s, "://"), strings.Contains(s, "@"):
		return errors.New("found a URL; " + want) // which may hold a secret
	case err != nil || host == "" || strings.ContainsAny(s, ", \t"):
		return fmt.Errorf("found %.80q; %s", s, want)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("found port %.20q; give a number from 1 to 65535", port)
	}
	return nil
}

// Cluster is a pool of connections to a Kafka cluster. It is safe for
// concurrent use.
type Cluster struct {
	// Client is the client of the pool. Its calls are made once; Do makes them
	// again.
	Client *kafka.Client
	// Dialer makes connections outside of the pool. Its DialFunc sees to TLS, so
	// its TLS is nil.
	Dialer *kafka.Dialer
	// Brokers are the addresses that the cluster was named by.
	Brokers []string

	opts ConnectOptions
	pool *kafka.Transport
	told lately

	mu        sync.Mutex
	refreshed time.Time
}

// Connect gives a connection, for its caller to close. It tries each broker
// once. The error says what to mend, and holds no secret. It also checks that
// the broker speaks the versions of the protocol that are needed.
func Connect(ctx context.Context, opts ConnectOptions) (*Cluster, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fail := func(err error) error {
		return fmt.Errorf("connect to Kafka at %s: %w", strings.Join(opts.Brokers, ", "), err)
	}
	c, err := newCluster(opts)
	if err != nil {
		return nil, fail(err)
	}
	if err := c.check(ctx); err != nil {
		c.Close()
		return nil, fail(opts.explain(err))
	}
	return c, nil
}

func newCluster(opts ConnectOptions) (*Cluster, error) {
	if len(opts.Brokers) == 0 {
		return nil, errors.New("no broker is given")
	}
	for _, b := range opts.Brokers {
		if err := CheckBroker(b); err != nil {
			return nil, err
		}
	}
	dial, err := opts.dial()
	if err != nil {
		return nil, err
	}
	login, err := newLogin(opts.SASL, opts.Logger)
	if err != nil {
		return nil, err
	}
	pool := &kafka.Transport{
		Dial: dial, DialTimeout: dialTimeout, MetadataTTL: metadataTTL, MetadataTopics: opts.Topics, ClientID: opts.ClientID,
	}
	dialer := &kafka.Dialer{ClientID: opts.ClientID, Timeout: dialTimeout, DialFunc: dial}
	if login != nil {
		pool.SASL, dialer.SASLMechanism = login, login
	}
	client := &kafka.Client{Addr: kafka.TCP(opts.Brokers...), Transport: pool, Timeout: requestTimeout}
	return &Cluster{Client: client, Dialer: dialer, Brokers: opts.Brokers, opts: opts, pool: pool}, nil
}

// check asks for the versions that the broker speaks, and whether it takes
// this client for requests.
func (c *Cluster) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if _, err := c.Client.Metadata(ctx, &kafka.MetadataRequest{}); err != nil {
		return err
	}
	v, err := c.Client.ApiVersions(ctx, &kafka.ApiVersionsRequest{})
	if err == nil {
		err = v.Error
	}
	if err != nil {
		return err
	}
	return checkVersions(v.ApiKeys)
}

// RoundTrip sends a request of the protocol to the broker that it is for.
func (c *Cluster) RoundTrip(ctx context.Context, req kafka.Request) (kafka.Response, error) {
	return c.pool.RoundTrip(ctx, c.Client.Addr, req)
}

// refreshEvery bounds how often the pool is given up.
const refreshEvery = 250 * time.Millisecond

// Refresh gives up the pooled connections and what is known of the leaders, so
// that the next request learns it anew. Requests that are on their way are not
// disturbed. Called often, it does so four times a second.
func (c *Cluster) Refresh() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); c.pool != nil && now.Sub(c.refreshed) >= refreshEvery {
		c.refreshed = now
		c.pool.CloseIdleConnections()
	}
}

// Close ends the pooled connections once they are idle.
func (c *Cluster) Close() { c.pool.CloseIdleConnections() }
