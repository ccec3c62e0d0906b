package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"misstep/event"
	"misstep/sinks"
)

// Sink is one destination that follows the results.
type Sink struct {
	Name string // of its position, in logs and metrics
	Type string // one of SinkTypes
	// URL is where it is; URLFile is a file that holds the URL, where that is a
	// secret. One of the two is set.
	URL, URLFile string
	TokenFile    string // sent as Authorization: Bearer
	Headers      []Header
	Timeout      time.Duration

	Template   string // of a webhook, one of sinks.WebhookTemplates
	BodyFile   string // holds a template of the user's instead
	KeyFile    string // holds a secret for the template
	SecretFile string // holds the key that the body is signed with

	Labels []Header      // of Alertmanager
	Resend time.Duration // likewise

	Kinds, Classes, Rules, States, Workflows, Tenants []string
	MinSeverity                                       string

	PerMinute  int
	GroupWait  time.Duration
	GroupMost  int
	FirstRetry time.Duration
	LastRetry  time.Duration
	MaxAge     time.Duration
}

// Header is a name with its value.
type Header struct{ Name, Value string }

// SinkTypes lists what the type of a sink may be.
func SinkTypes() []string { return []string{"webhook", "alertmanager"} }

var sinkName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

func defaultSink() Sink {
	return Sink{
		Timeout: 10 * time.Second, Template: "json", Resend: time.Minute, GroupMost: 50,
		FirstRetry: time.Second, LastRetry: 5 * time.Minute, MaxAge: 24 * time.Hour,
	}
}

func (d *decoder) sink(n node, c *Config) {
	s := defaultSink()
	given := map[string]node{}
	note := func(name string, set func(node)) field {
		return field{name, func(n node) {
			given[name] = n
			set(n)
		}}
	}
	text := func(p *string, want string) func(node) {
		return func(n node) {
			if v, ok := d.text(n, want); ok {
				*p = v
			}
		}
	}
	secret := func(name string) field {
		return field{name, func(n node) {
			d.fail(n, "secrets are read from files alone; write it to a file and name that as %s_file", name)
		}}
	}
	d.mapping(
		n,
		field{"name", func(n node) {
			d.checked(n, &s.Name, "a name such as oncall", func(v string) error {
				if !sinkName.MatchString(v) {
					return fmt.Errorf("a sink's name has lower-case letters, digits and underscores, begins with a letter and is no longer than 32")
				}
				if slices.ContainsFunc(c.Sinks, func(o Sink) bool { return o.Name == v }) {
					return fmt.Errorf("another sink has this name, and the two would share a position; give each its own")
				}
				return nil
			})
		}},
		field{"type", func(n node) { d.choice(n, &s.Type, SinkTypes()...) }},
		field{"url", func(n node) { d.checked(n, &s.URL, "a URL such as https://hooks.example/misstep", checkHTTP) }},
		field{"url_file", text(&s.URLFile, "the name of a file that holds the URL")},
		field{"token_file", text(&s.TokenFile, "the name of a file that holds the token")},
		secret("token"),
		field{"headers", func(n node) { d.pairs(n, &s.Headers, "a header's value") }},
		field{"timeout", func(n node) { d.duration(n, &s.Timeout, 100*time.Millisecond, 5*time.Minute, "") }},
		note("template", func(n node) { d.choice(n, &s.Template, sinks.WebhookTemplates()...) }),
		note("body_file", text(&s.BodyFile, "the name of a file that holds a template of the body")),
		note("key_file", text(&s.KeyFile, "the name of a file that holds the key, such as PagerDuty's integration key")),
		secret("key"),
		note("secret_file", text(&s.SecretFile, "the name of a file that holds the key of the signature")),
		secret("secret"),
		note("labels", func(n node) { d.pairs(n, &s.Labels, "a label's value") }),
		note("resend", func(n node) { d.duration(n, &s.Resend, time.Second, 5*time.Minute, "") }),
		field{"filter", func(n node) { d.sinkFilter(n, &s) }},
		field{"per_minute", func(n node) { d.count(n, &s.PerMinute, 0, 1_000_000) }},
		note("group", func(n node) {
			d.mapping(
				n,
				field{"wait", func(n node) { d.duration(n, &s.GroupWait, 100*time.Millisecond, time.Hour, "") }},
				field{"most", func(n node) { d.count(n, &s.GroupMost, 1, 1000) }},
			)
		}),
		field{"retry", func(n node) {
			d.mapping(
				n,
				field{"first", func(n node) { d.duration(n, &s.FirstRetry, 10*time.Millisecond, time.Hour, "") }},
				field{"last", func(n node) { d.duration(n, &s.LastRetry, 10*time.Millisecond, time.Hour, "") }},
			)
		}},
		field{"max_age", func(n node) { d.duration(n, &s.MaxAge, time.Second, 720*time.Hour, "") }},
	)
	d.require(n, s.Name, "name")
	d.require(n, s.Type, "type")
	if s.URLFile == "" {
		d.require(n, s.URL, "url")
	} else if s.URL != "" {
		d.fail(n, "there are url and url_file; remove one of the two")
	}
	only := func(kind string, names ...string) {
		for _, name := range names {
			if at, ok := given[name]; ok && s.Type != "" && s.Type != kind {
				d.fail(at, "this is for a sink of type %s, and this one is of type %s; remove it", kind, s.Type)
			}
		}
	}
	only("webhook", "template", "body_file", "key_file", "secret_file", "group")
	only("alertmanager", "labels", "resend")
	if at, ok := given["template"]; ok && s.BodyFile != "" {
		d.fail(at, "there are template and body_file; remove one of the two")
	}
	if s.BodyFile != "" {
		s.Template = ""
	}
	if at, ok := given["group"]; ok && s.GroupWait > 0 && slices.Contains([]string{"pagerduty", "opsgenie", "cloudevents"}, s.Template) {
		d.fail(at, "the template %s tells of one failure in a message; remove this, or take another template", s.Template)
	}
	if s.LastRetry < s.FirstRetry {
		d.fail(n, "retry.last is shorter than retry.first; swap them")
	}
	c.Sinks = append(c.Sinks, s)
}

func (d *decoder) sinkFilter(n node, s *Sink) {
	words := func(p *[]string, known []string) func(node) {
		return func(n node) {
			d.list(n, func(n node) {
				word := ""
				d.choice(n, &word, known...)
				if word != "" {
					*p = append(*p, word)
				}
			})
		}
	}
	globs := func(p *[]string) func(node) {
		return func(n node) {
			d.list(n, func(n node) {
				g := ""
				d.glob(n, &g, "a name, or a glob such as support-*")
				*p = append(*p, g)
			})
		}
	}
	var classes []string
	for c := event.ToolMisuse; int(c) < event.NumClasses; c++ {
		classes = append(classes, c.String())
	}
	d.mapping(
		n,
		field{"kinds", words(&s.Kinds, sinks.Kinds())},
		field{"classes", words(&s.Classes, classes)},
		field{"rules", words(&s.Rules, allRules())},
		field{"states", words(&s.States, []string{"open", "escalated", "resolved"})},
		field{"workflows", globs(&s.Workflows)},
		field{"tenants", globs(&s.Tenants)},
		field{"min_severity", func(n node) { d.choice(n, &s.MinSeverity, "info", "warning", "error", "critical") }},
	)
}

// pairs reads a mapping of texts, in the order of the file.
func (d *decoder) pairs(n node, p *[]Header, want string) {
	d.entries(n, func(key string, at, v node) {
		if strings.EqualFold(key, "authorization") {
			d.fail(at, "secrets are read from files alone; write the token to a file and name that as token_file")
			return
		}
		if s, ok := d.text(v, want); ok {
			*p = append(*p, Header{key, s})
		}
	})
}

func checkHTTP(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("give an http or https URL")
	case u.User != nil:
		return fmt.Errorf("a URL with a password is a secret; write it to a file and name that as url_file")
	}
	return nil
}

// sinksYAML writes what sink reads.
func sinksYAML(list []Sink, p func(format string, args ...any)) {
	if len(list) == 0 {
		p("sinks: []")
		return
	}
	p("sinks:")
	for _, s := range list {
		p("  - name: %s\n    type: %s", s.Name, s.Type)
		text := func(name, v string) {
			if v != "" {
				p("    %s: %s", name, quote(v))
			}
		}
		pairs := func(name string, list []Header) {
			if len(list) > 0 {
				p("    %s:", name)
			}
			for _, h := range list {
				p("      %s: %s", quote(h.Name), quote(h.Value))
			}
		}
		text("url", s.URL)
		text("url_file", s.URLFile)
		text("token_file", s.TokenFile)
		pairs("headers", s.Headers)
		p("    timeout: %s", short(s.Timeout))
		switch s.Type {
		case "webhook":
			text("template", s.Template)
			text("body_file", s.BodyFile)
			text("key_file", s.KeyFile)
			text("secret_file", s.SecretFile)
			if s.GroupWait > 0 {
				p("    group: {wait: %s, most: %d}", short(s.GroupWait), s.GroupMost)
			}
		case "alertmanager":
			pairs("labels", s.Labels)
			p("    resend: %s", short(s.Resend))
		}
		p("    filter:")
		for _, f := range []struct {
			name string
			list []string
		}{{"kinds", s.Kinds}, {"classes", s.Classes}, {"rules", s.Rules}, {"states", s.States}, {"workflows", s.Workflows}, {"tenants", s.Tenants}} {
			quoted := make([]string, len(f.list))
			for i, w := range f.list {
				quoted[i] = quote(w)
			}
			p("      %s: [%s]", f.name, strings.Join(quoted, ", "))
		}
		if s.MinSeverity != "" {
			p("      min_severity: %s", s.MinSeverity)
		}
		p("    per_minute: %d\n    retry: {first: %s, last: %s}\n    max_age: %s", s.PerMinute, short(s.FirstRetry), short(s.LastRetry), short(s.MaxAge))
	}
}
