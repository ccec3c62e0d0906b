package config

import (
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"misstep/stream/jetstream"
)

// NATS says which NATS server is used: one of the user's when URLs holds any,
// else an embedded one.
type NATS struct {
	Listen string // of the embedded server, host:port; port 0 takes a free one
	// SyncInterval is how often the embedded server forces to disk what was
	// written, 0 after every write. Power loss, not the end of a process, costs
	// at most this.
	SyncInterval time.Duration
	// MinFree is how many bytes of the disk the embedded server keeps free: with
	// less, steps are refused.
	MinFree int64
	// Steps and Results are the limits of the embedded server's streams.
	Steps, Results Limits

	// TokenFile holds the token that the embedded server asks of its clients, or
	// that is given to a server of the user's.
	TokenFile string
	TLS       NATSTLS

	URLs         []string // of one server or cluster; the rest counts only with one
	User         string
	PasswordFile string
	// NKeyFile holds the seed of an NKey, and CredentialsFile a JWT with its
	// seed. Of them, User and TokenFile at most one is set.
	NKeyFile, CredentialsFile string

	Stream  string // that holds the steps
	Subject string // what of the stream is read; empty: all
	// PublishSubject is where steps that come over HTTP go; those with a
	// workflow go to PublishSubject.WORKFLOW.
	PublishSubject string
	Create         bool // make the streams that are not there
	Replicas       int  // of the streams that are made
	// Lease is how long a process that does not renew it keeps the partition.
	Lease time.Duration
}

// NATSTLS says what the embedded server proves itself with, and how the
// certificate of a server of the user's is checked.
type NATSTLS struct {
	ServerTLS          // of the embedded server, or of this process as a client
	CAFile             string
	ServerName         string
	InsecureSkipVerify bool
}

// External reports whether the server is one of the user's.
func (n *NATS) External() bool { return len(n.URLs) > 0 }

func defaultNATS() NATS {
	return NATS{
		Listen: jetstream.DefaultListen, SyncInterval: time.Second, MinFree: jetstream.DefaultMinFree,
		Steps: Limits{MaxBytes: 10 << 30, MaxAge: 7 * 24 * time.Hour}, Results: Limits{MaxBytes: 10 << 30, MaxAge: 30 * 24 * time.Hour},
		Stream: jetstream.StepsStream, PublishSubject: jetstream.StepsSubject, Replicas: 1, Lease: jetstream.DefaultLease,
	}
}

func (d *decoder) nats(n node, c *NATS) {
	file := func(p *string, want string) func(node) {
		return func(n node) {
			if s, ok := d.text(n, want); ok {
				*p = s
			}
		}
	}
	given := map[string]node{}
	var cert, key node
	note := func(name string, set func(node)) field {
		return field{name, func(n node) {
			given[name] = n
			set(n)
		}}
	}
	d.mapping(
		n,
		note("listen", func(n node) { d.listen(n, &c.Listen) }),
		note("sync_interval", func(n node) { d.sync(n, &c.SyncInterval) }),
		note("min_free", func(n node) { d.size(n, &c.MinFree, 1<<20, 1<<50, "") }),
		note("steps", func(n node) { d.limits(n, &c.Steps) }),
		note("results", func(n node) { d.limits(n, &c.Results) }),
		field{"url", func(n node) { d.urls(n, &c.URLs) }},
		note("user", file(&c.User, "a user's name")),
		note("password_file", file(&c.PasswordFile, "the name of a file that holds the password")),
		note("token_file", d.tokenFile(&c.TokenFile).set),
		note("nkey_file", file(&c.NKeyFile, "the name of a file that holds the seed of an NKey")),
		note("credentials_file", file(&c.CredentialsFile, "the name of a file that holds a JWT and its seed")),
		note("tls", func(n node) {
			d.mapping(n, append(
				d.certFiles(&c.TLS.ServerTLS, &cert, &key),
				field{"ca_file", file(&c.TLS.CAFile, "the name of a file that holds certificates in PEM form")},
				field{"server_name", file(&c.TLS.ServerName, "a name that is in the server's certificate")},
				field{"insecure_skip_verify", func(n node) { d.boolean(n, &c.TLS.InsecureSkipVerify) }},
			)...)
		}),
		note("stream", func(n node) { d.checked(n, &c.Stream, "a stream's name, such as AGENT_STEPS", jetstream.CheckStream) }),
		note("subject", func(n node) {
			d.checked(n, &c.Subject, "a subject of the stream, such as agent.steps.support or agent.steps.>", jetstream.CheckFilter)
		}),
		note("publish_subject", func(n node) {
			d.checked(n, &c.PublishSubject, "a subject, such as agent.steps", jetstream.CheckSubject)
		}),
		note("create", func(n node) { d.boolean(n, &c.Create) }),
		note("replicas", func(n node) { d.count(n, &c.Replicas, 1, 5) }),
		note("lease", func(n node) { d.duration(n, &c.Lease, jetstream.MinLease, jetstream.MaxLease, "") }),
		// A secret in the file is a mistake that deserves an answer of its own.
		field{"password", func(n node) {
			d.fail(n, "secrets are read from files alone; write it to a file and name that as password_file")
		}},
		field{"token", func(n node) {
			d.fail(n, "secrets are read from files alone; write it to a file and name that as token_file")
		}},
	)
	d.together(c.TLS.ServerTLS, cert, key)
	if !c.External() {
		d.exposed(given["listen"], c.Listen, c.TokenFile)
	}
	d.natsTogether(n, c, given)
}

// natsTogether refuses settings that do not go together.
func (d *decoder) natsTogether(n node, c *NATS, given map[string]node) {
	if len(d.errs) > 0 {
		return
	}
	if !c.External() {
		def := defaultNATS()
		def.TLS.ServerTLS = c.TLS.ServerTLS
		for _, f := range []struct {
			name string
			same bool
		}{
			{"user", c.User == ""},
			{"password_file", c.PasswordFile == ""},
			{"nkey_file", c.NKeyFile == ""},
			{"credentials_file", c.CredentialsFile == ""},
			{"tls", c.TLS == def.TLS},
			{"stream", c.Stream == def.Stream},
			{"subject", c.Subject == ""},
			{"publish_subject", c.PublishSubject == def.PublishSubject},
			{"create", !c.Create},
			{"replicas", c.Replicas == def.Replicas},
			{"lease", c.Lease == def.Lease},
		} {
			if !f.same {
				d.fail(given[f.name], "this is for a NATS server of your own, and nats.url names none; add url: nats://host:4222, or remove this")
			}
		}
		return
	}
	for _, name := range []string{"listen", "sync_interval", "min_free", "steps", "results"} {
		if at, ok := given[name]; ok {
			d.fail(at, "this is for the embedded NATS server, which is not started when nats.url names one; remove this, or nats.url")
		}
	}
	first := ""
	for _, way := range [][2]string{{"user", c.User}, {"token_file", c.TokenFile}, {"nkey_file", c.NKeyFile}, {"credentials_file", c.CredentialsFile}} {
		switch {
		case way[1] == "":
		case first == "":
			first = way[0]
		default:
			d.fail(given[way[0]], "there is %s as well; remove one of the two", first)
		}
	}
	switch {
	case c.User != "" && c.PasswordFile == "":
		d.fail(given["user"], "there is no password_file; add it")
	case c.User == "" && c.PasswordFile != "":
		d.fail(given["password_file"], "there is no user; add it")
	}
}

// urls reads one URL or a list of them.
func (d *decoder) urls(n node, p *[]string) {
	const want = "a URL such as nats://localhost:4222, or a list of them"
	one := func(n node) {
		if _, ok := n.ast.(ast.MapNode); ok { // [nats://localhost:4222] can be one
			d.fail(n, "found %s; give %s, in quotes", n.found(), want)
			return
		}
		s, ok := d.text(n, want)
		if !ok {
			return
		}
		if err := jetstream.CheckURL(s); err != nil {
			d.fail(n, "%v", err)
			return
		}
		*p = append(*p, s)
	}
	if _, list := n.ast.(*ast.SequenceNode); list {
		d.list(n, one)
		return
	}
	one(n)
}

// checked sets p to a text that check has nothing against.
func (d *decoder) checked(n node, p *string, want string, check func(string) error) {
	s, ok := d.text(n, want)
	if !ok {
		return
	}
	if err := check(s); err != nil {
		d.fail(n, "found %s; %v", n.found(), err)
		return
	}
	*p = s
}

// yaml writes the settings in the form in which nats reads them.
func (n *NATS) yaml(p func(format string, args ...any)) {
	p("nats:")
	if !n.External() {
		p("  listen: %s\n  sync_interval: %s\n  min_free: %s", address(n.Listen), syncWord(n.SyncInterval), FormatSize(n.MinFree))
		n.Steps.yaml("steps", p)
		n.Results.yaml("results", p)
		if n.TokenFile != "" {
			p("  token_file: %s", quote(n.TokenFile))
		}
		n.TLS.ServerTLS.yaml(p)
		p("  url: []")
	} else {
		urls := slices.Clone(n.URLs)
		for i, u := range urls {
			urls[i] = quote(u)
		}
		p("  url: [%s]", strings.Join(urls, ", "))
		for _, f := range [][2]string{{"user", n.User}, {"password_file", n.PasswordFile}, {"token_file", n.TokenFile}, {"nkey_file", n.NKeyFile}, {"credentials_file", n.CredentialsFile}} {
			if f[1] != "" {
				p("  %s: %s", f[0], quote(f[1]))
			}
		}
		if n.TLS != (NATSTLS{}) {
			p("  tls:")
			for _, f := range [][2]string{{"ca_file", n.TLS.CAFile}, {"server_name", n.TLS.ServerName}, {"cert_file", n.TLS.CertFile}, {"key_file", n.TLS.KeyFile}} {
				if f[1] != "" {
					p("    %s: %s", f[0], quote(f[1]))
				}
			}
			p("    insecure_skip_verify: %t", n.TLS.InsecureSkipVerify)
		}
	}
	p("  stream: %s", quote(n.Stream))
	if n.Subject != "" {
		p("  subject: %s", quote(n.Subject))
	}
	p("  publish_subject: %s\n  create: %t\n  replicas: %d\n  lease: %s", quote(n.PublishSubject), n.Create, n.Replicas, short(n.Lease))
}

// CheckNATSURL says what is wrong with the URL of a NATS server.
func CheckNATSURL(s string) error { return jetstream.CheckURL(s) }
