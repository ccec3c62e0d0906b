package replay

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"misstep/internal/config"
	"misstep/internal/intake"
	"misstep/stream/jetstream"
)

// NATS says how the servers of nats:// URLs are reached. Secrets are in files.
type NATS struct {
	User, PasswordFile, TokenFile string
	NKeyFile, CredentialsFile     string
	TLS                           jetstream.TLSOptions
}

// Access says how the brokers of URLs are reached.
type Access struct {
	NATS  NATS
	Kafka Kafka
}

// Or gives the settings of a configuration where a has none of its own.
func (a Access) Or(c *config.Config) Access {
	return Access{NATS: a.NATS.Or(&c.NATS), Kafka: a.Kafka.Or(&c.Kafka)}
}

// Or gives the settings of a configuration where n has none of its own.
func (n NATS) Or(c *config.NATS) NATS {
	if !c.External() {
		return n // what it has is the embedded server's
	}
	if n.User == "" && n.PasswordFile == "" && n.TokenFile == "" && n.NKeyFile == "" && n.CredentialsFile == "" {
		n.User, n.PasswordFile, n.TokenFile, n.NKeyFile, n.CredentialsFile = c.User, c.PasswordFile, c.TokenFile, c.NKeyFile, c.CredentialsFile
	}
	if n.TLS == (jetstream.TLSOptions{}) {
		n.TLS = jetstream.TLSOptions{
			CAFile: c.TLS.CAFile, ServerName: c.TLS.ServerName, InsecureSkipVerify: c.TLS.InsecureSkipVerify,
			CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile,
		}
	}
	return n
}

func (n NATS) connect(ctx context.Context, server string) (*nats.Conn, error) {
	return jetstream.Connect(ctx, jetstream.ConnectOptions{
		URLs: []string{server}, Name: "misstep replayer", User: n.User, PasswordFile: n.PasswordFile, TokenFile: n.TokenFile,
		NKeyFile: n.NKeyFile, CredentialsFile: n.CredentialsFile, TLS: n.TLS, Logger: zerolog.Nop(),
	})
}

// isNATS reports whether an argument names something on a NATS server.
func isNATS(arg string) bool {
	return strings.HasPrefix(arg, "nats://") || strings.HasPrefix(arg, "tls://")
}

// splitNATS takes SERVER/NAME?QUERY apart.
func splitNATS(arg, form string) (server, name string, query url.Values, err error) {
	u, err := url.Parse(arg)
	if err != nil {
		return "", "", nil, fmt.Errorf("this is no URL; want %s", form)
	}
	server = u.Scheme + "://" + u.Host
	if u.User != nil {
		server = u.Scheme + "://" + u.User.String() + "@" + u.Host
	}
	if err := jetstream.CheckURL(server); err != nil {
		return "", "", nil, err
	}
	name = strings.TrimPrefix(u.Path, "/")
	if name == "" || strings.Contains(name, "/") || u.Fragment != "" {
		return "", "", nil, fmt.Errorf("want %s", form)
	}
	query, err = url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", "", nil, fmt.Errorf("what is after the ? cannot be read; want %s", form)
	}
	return server, name, query, nil
}

// natsForm is how an input on a NATS server is named.
const natsForm = "nats://HOST:PORT/STREAM?from=...&to=..., with sequences or RFC 3339 times, and perhaps subject=..."

// natsInput is a part of a stream on a NATS server, which does not change.
type natsInput struct {
	access NATS
	server string
	part   *jetstream.Range
}

// redacted is an argument as it may be shown.
func redacted(arg string) string {
	if u, err := url.Parse(arg); err == nil && u.User != nil {
		u.User = url.User("...")
		return u.String()
	}
	return arg
}

// addNATS finds the part of a stream that an argument names.
func (in *Inputs) addNATS(ctx context.Context, arg string, format intake.Format, access NATS) error {
	fail := func(err error) error { return fmt.Errorf("%s: %w", redacted(arg), err) }
	server, name, query, err := splitNATS(arg, natsForm)
	if err != nil {
		return fail(err)
	}
	if format != Auto && format != intake.Steps {
		return fail(fmt.Errorf("a stream holds step events; --format %s is for files", format))
	}
	opts := jetstream.RangeOptions{Stream: name}
	if err := jetstream.CheckStream(name); err != nil {
		return fail(err)
	}
	for key, values := range query {
		value := values[len(values)-1]
		switch key {
		case "from":
			opts.From, err = jetstream.ParseBound(value)
		case "to":
			opts.To, err = jetstream.ParseBound(value)
		case "subject":
			opts.Subject, err = value, jetstream.CheckFilter(value)
		default:
			err = fmt.Errorf("there is no such setting; want %s", natsForm)
		}
		if err != nil {
			return fail(fmt.Errorf("%s: %w", key, err))
		}
	}
	if opts.From.After(opts.To) {
		return fail(fmt.Errorf("to: lies before from, so that nothing is between them"))
	}
	nc, err := access.connect(ctx, server)
	if err != nil {
		return err // names the server
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	part, err := jetstream.FindRange(ctx, nc, opts)
	if err != nil {
		return fail(err)
	}
	switch last, beyond := part.Beyond(); {
	case beyond && last == 0:
		return fail(errors.New("from: the stream holds no such message, and none before it"))
	case beyond:
		return fail(fmt.Errorf("from: lies behind the stream's last message, which is %d, so that there is nothing to read", last))
	}
	in.Files = append(in.Files, Input{
		Name: arg, Format: intake.Steps, size: part.Bytes(), nats: &natsInput{access: access, server: server, part: part},
	})
	return nil
}

const findTimeout = 30 * time.Second

// natsPart is the log of such an input.
type natsPart struct {
	*jetstream.RangeLog
	name string
	nc   *nats.Conn
}

func (n *natsInput) open(name string, gap func(from, to int64)) (part, error) {
	ctx, cancel := context.WithTimeout(context.Background(), findTimeout)
	defer cancel()
	nc, err := n.access.connect(ctx, n.server)
	if err != nil {
		return nil, err
	}
	log, err := jetstream.OpenRange(ctx, nc, n.part, gap, nil)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &natsPart{RangeLog: log, name: name, nc: nc}, nil
}

// Locate gives the sequence of a record.
func (p *natsPart) Locate(offset int64) (file string, n int64) { return p.name, offset }

// Close ends the reading and the connection.
func (p *natsPart) Close() error {
	err := p.RangeLog.Close()
	p.nc.Close()
	return err
}

// missing counts what inputs on a broker do not hold any more.
type missing struct {
	gaps, records atomic.Int64
}

func (m *missing) found(from, to int64) {
	m.gaps.Add(1)
	m.records.Add(to - from + 1)
}
