package jetstream

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

const (
	// InboxPrefix begins the subjects on which a connection takes answers, so
	// that it needs no right to hear those of others.
	InboxPrefix = "_INBOX_misstep"

	// MinServerVersion is the first NATS server with atomic batches.
	MinServerVersion = "2.12"

	connectTimeout = 5 * time.Second
	// Between two rounds of the servers when a connection is lost.
	firstReconnect = 50 * time.Millisecond
	lastReconnect  = 2 * time.Second
	// tellEvery is the least time between two equal warnings of a connection.
	tellEvery = 10 * time.Second
	maxSecret = 64 << 10
)

// ConnectOptions say how a NATS server of the user's is reached. URLs is
// required. Secrets are read from files, at each connect anew, so they can be
// changed while a connection lives.
type ConnectOptions struct {
	URLs         []string // nats://host:port or tls://host:port; any of a cluster will do
	Name         string   // shows in the server's monitoring
	User         string
	PasswordFile string // of User
	TokenFile    string // instead of User
	// NKeyFile holds the seed of an NKey, instead of User. It is read once: its
	// public key is what the server knows the client by.
	NKeyFile string
	// CredentialsFile holds a JWT and the seed of its key, instead of User.
	CredentialsFile string
	TLS             TLSOptions
	// Logger is told when the connection is lost and back, and of rights that
	// are missing. The zero value is silent.
	Logger zerolog.Logger
}

// TLSOptions say how the server's certificate is checked. With any of them set,
// a server without TLS is refused.
type TLSOptions struct {
	CAFile     string // PEM; empty: the system's authorities
	ServerName string // expected in the certificate; empty: the host of the URL
	// CertFile and KeyFile are what the client proves itself with, in PEM form;
	// both or neither. They are read for each connection anew.
	CertFile, KeyFile string
	// InsecureSkipVerify takes any certificate, so anyone between here and the
	// server can read and change all.
	InsecureSkipVerify bool
}

// CheckURL says what is wrong with the URL of a server. It shows no part of it
// that could be a secret.
func CheckURL(s string) error {
	const want = "want nats://host:port, or tls://host:port"
	u, err := url.Parse(s)
	switch {
	case err != nil || !strings.Contains(s, "://"):
		return errors.New("this is no URL; " + want)
	case u.User != nil:
		return errors.New("the URL holds a user, password or token; secrets are read from files alone: remove what is before the @, and name the user and a password file, or a token file")
	case u.Scheme != "nats" && u.Scheme != "tls":
		return fmt.Errorf("scheme %.20q is not known; %s", u.Scheme, want)
	case u.Hostname() == "":
		return errors.New("the host is missing; " + want)
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
		return errors.New("there is more than a host and a port; " + want)
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("port %q is none, want 1 to 65535", p)
		}
	}
	return nil
}

// Connect gives a connection, for its caller to close. It tries each URL once;
// a connection that was made is made anew for ever when it breaks. The error
// says what to mend, and holds no secret. It also checks what the server can:
// JetStream, and atomic batches.
func Connect(ctx context.Context, opts ConnectOptions) (*nats.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	where := strings.Join(opts.URLs, ", ")
	fail := func(err error) error { return fmt.Errorf("connect to NATS at %s: %w", where, err) }
	options, err := opts.client()
	if err != nil {
		return nil, fail(err)
	}
	nc, err := nats.Connect(strings.Join(opts.URLs, ","), options...)
	if err != nil {
		return nil, fail(opts.explain(err))
	}
	if err := checkServer(ctx, nc); err != nil {
		nc.Close()
		return nil, fail(err)
	}
	return nc, nil
}

// client gives the options of the client library.
func (o *ConnectOptions) client() ([]nats.Option, error) {
	if len(o.URLs) == 0 {
		return nil, errors.New("no URL is given")
	}
	for _, u := range o.URLs {
		if err := CheckURL(u); err != nil {
			return nil, err
		}
	}
	told := &lately{}
	log := o.Logger.With().Str("connection", o.Name).Logger()
	out := []nats.Option{
		nats.Name(o.Name), nats.Timeout(connectTimeout), nats.CustomInboxPrefix(InboxPrefix),
		nats.MaxReconnects(-1), nats.CustomReconnectDelay(reconnectDelay), nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn().Err(err).Msg("NATS connection is lost; trying to reconnect")
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info().Str("server", nc.ConnectedUrlRedacted()).Msg("NATS connection is back")
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if told.before(err.Error(), time.Now()) {
				return
			}
			ev := log.Warn().Err(err)
			if errors.Is(err, nats.ErrPermissionViolation) {
				ev.Msg("NATS refuses a subject; `detector topics --for nats` prints the rights that are needed")
				return
			}
			ev.Msg("NATS client")
		}),
	}
	credentials, err := o.credentials(log)
	if err != nil {
		return nil, err
	}
	conf, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	if conf != nil {
		out = append(out, nats.Secure(conf))
	}
	return append(out, credentials...), nil
}

// reconnectDelay is how long the n-th round is waited for: soon, and then less
// often.
func reconnectDelay(n int) time.Duration {
	return min(firstReconnect<<min(max(n-1, 0), 10), lastReconnect)
}

// lately remembers what was told last.
type lately struct {
	mu   sync.Mutex
	text string
	at   time.Time
}

// before reports whether the same was told shortly before; else it is now.
func (l *lately) before(text string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if text == l.text && now.Sub(l.at) < tellEvery {
		return true
	}
	l.text, l.at = text, now
	return false
}

// checkServer says what the server lacks.
func checkServer(ctx context.Context, nc *nats.Conn) error {
	if v := nc.ConnectedServerVersion(); !atLeast(v, MinServerVersion) {
		return fmt.Errorf("the server is NATS %.40s, which has no atomic batches; use NATS %s or later", v, MinServerVersion)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	// Sent to nobody first: a right that is missing shows at once then, not
	// when the request has waited in vain.
	if err := errors.Join(nc.Publish(apiInfo, nil), nc.FlushWithContext(ctx)); err != nil {
		return classify(err)
	}
	if err := denied(nc, ErrUnavailable); !errors.Is(err, ErrUnavailable) {
		return err
	}
	_, err = js.AccountInfo(ctx)
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("%w; enable it in the server's configuration (jetstream: enabled in the account), or connect as a user of another account", err)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return errors.New("the server runs without JetStream; start it with -js, or with a jetstream block in its configuration")
	case err != nil:
		return fmt.Errorf("JetStream: %w", denied(nc, classify(err)))
	}
	return nil
}

// denied says of a request that was not answered whether the server refused its
// subject.
func denied(nc *nats.Conn, err error) error {
	if last := nc.LastError(); errors.Is(err, ErrUnavailable) && errors.Is(last, nats.ErrPermissionViolation) {
		return fmt.Errorf("%w; `detector topics --for nats` prints the rights that are needed", last)
	}
	return err
}

// atLeast compares versions by their first two numbers.
func atLeast(have, want string) bool {
	h, w := majorMinor(have), majorMinor(want)
	return h[0] > w[0] || h[0] == w[0] && h[1] >= w[1]
}

func majorMinor(v string) (out [2]int) {
	for i, part := range strings.SplitN(strings.TrimPrefix(v, "v"), ".", 3) {
		if i < len(out) {
			out[i], _ = strconv.Atoi(part) // what is no number counts as 0
		}
	}
	return out
}

// answered gives a context for one request: it ends after a time, and when the
// connection breaks, since an answer that was on its way then never comes. stop
// releases it.
func answered(ctx context.Context, nc *nats.Conn, timeout time.Duration) (_ context.Context, stop func()) {
	ctx, cancelTimeout := context.WithTimeout(ctx, timeout)
	ctx, cancel := context.WithCancelCause(ctx)
	down := nc.StatusChanged(nats.RECONNECTING, nats.CLOSED)
	go func() {
		select {
		case <-down:
			cancel(fmt.Errorf("%w: connection was lost while an answer was due", ErrUnavailable))
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		cancelTimeout()
		nc.RemoveStatusListener(down)
	}
}

// why gives the reason for which a context of answered ended, when err is its
// echo.
func why(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(err, context.Canceled) && errors.Is(cause, ErrUnavailable) {
		return cause
	}
	return err
}
