package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// HTTP says how an HTTP server runs.
type HTTP struct {
	Listen string // host:port; port 0 takes a free one. Empty: there is none
	// Hosts are names, beside those of loopback, that the Host header of a
	// request may have.
	Hosts []string
	// TokenFile holds the token that callers must give; empty: anybody may call.
	TokenFile string
	TLS       ServerTLS
}

// ServerTLS is what a server proves itself with. Both are set, or neither.
type ServerTLS struct {
	CertFile string
	KeyFile  string
}

// http reads the settings of an HTTP server.
func (d *decoder) http(n node, c *HTTP, listen func(node)) {
	var at, cert, key node
	d.mapping(
		n,
		field{"listen", func(n node) { at = n; listen(n) }},
		field{"hosts", func(n node) {
			d.list(n, func(n node) {
				if s, ok := d.text(n, "a host's name, such as detector.example"); ok {
					if strings.ContainsAny(s, ":/* ") {
						d.fail(n, "found %s; give a host's name alone, without scheme, port, path and wildcard", n.found())
						return
					}
					c.Hosts = append(c.Hosts, s)
				}
			})
		}},
		d.tokenFile(&c.TokenFile),
		field{"token", func(n node) {
			d.fail(n, "secrets are read from files alone; write it to a file and name that as token_file")
		}},
		field{"tls", func(n node) { d.mapping(n, d.certFiles(&c.TLS, &cert, &key)...) }},
	)
	d.together(c.TLS, cert, key)
	d.exposed(at, c.Listen, c.TokenFile)
}

func (d *decoder) tokenFile(p *string) field {
	return field{"token_file", func(n node) {
		if s, ok := d.text(n, "the name of a file that holds the token"); ok {
			*p = s
		}
	}}
}

func (d *decoder) certFiles(c *ServerTLS, cert, key *node) []field {
	return []field{
		{"cert_file", func(n node) {
			*cert = n
			if s, ok := d.text(n, "the name of a file that holds the certificate in PEM form"); ok {
				c.CertFile = s
			}
		}},
		{"key_file", func(n node) {
			*key = n
			if s, ok := d.text(n, "the name of a file that holds the certificate's key in PEM form"); ok {
				c.KeyFile = s
			}
		}},
	}
}

// together refuses a certificate without a key and the other way round.
func (d *decoder) together(c ServerTLS, cert, key node) {
	switch {
	case c.CertFile != "" && c.KeyFile == "":
		d.fail(cert, "there is no key_file; add it")
	case c.CertFile == "" && c.KeyFile != "":
		d.fail(key, "there is no cert_file; add it")
	}
}

// exposed refuses an address that other hosts reach without a token.
func (d *decoder) exposed(n node, addr, tokenFile string) {
	if n.at == nil {
		return
	}
	if err := checkAccess(addr, tokenFile); err != nil && !slices.ContainsFunc(d.errs, func(e *Error) bool { return e.Path == n.path }) {
		d.fail(n, "%v", err)
	}
}

func (d *decoder) listen(n node, p *string) {
	s, ok := d.text(n, "an address such as 127.0.0.1:4318")
	if !ok {
		return
	}
	if err := CheckListen(s); err != nil {
		d.fail(n, "%v", err)
		return
	}
	*p = s
}

// CheckListen says what is wrong with an address to listen on, whoever may
// reach it.
func CheckListen(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("found %q; give an address with its port, such as 127.0.0.1:4318", clip(addr))
	}
	if p, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(p, 10) != port {
		return fmt.Errorf("found port %q; give a number from 0 (any free port) to 65535", clip(port))
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
		return fmt.Errorf("found %q; give an address of this host in figures, such as 127.0.0.1:%s, or 0.0.0.0:%s for all of them", clip(addr), port, port)
	}
	return nil
}

// Loopback reports whether only this machine reaches an address.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func checkAccess(addr, tokenFile string) error {
	if addr == "" || tokenFile != "" || Loopback(addr) {
		return nil
	}
	_, port, _ := net.SplitHostPort(addr) // CheckListen has looked at it
	return fmt.Errorf("found %q, which other hosts reach, and no token_file, so anybody may call; name a token_file beside it, or give a loopback address such as 127.0.0.1:%s", clip(addr), port)
}

// CheckAccess says which server other hosts reach without a token. Parse has
// looked already; it is for addresses that were set since.
func (c *Config) CheckAccess() error {
	for _, s := range []struct{ field, addr, tokenFile string }{
		{"nats.listen", c.NATS.Listen, c.NATS.TokenFile},
		{"http.listen", c.HTTP.Listen, c.HTTP.TokenFile},
		{"admin.listen", c.Admin.Listen, c.Admin.TokenFile},
	} {
		if s.field == "nats.listen" && (c.NATS.External() || c.Kafka.Used()) {
			continue
		}
		if err := checkAccess(s.addr, s.tokenFile); err != nil {
			return fmt.Errorf("%s: %w", s.field, err)
		}
	}
	return nil
}

// yaml writes the settings in the form in which http reads them.
func (c *HTTP) yaml(name string, p func(format string, args ...any)) {
	listen := "off"
	if c.Listen != "" {
		listen = address(c.Listen)
	}
	p("%s:\n  listen: %s", name, listen)
	hosts := make([]string, len(c.Hosts))
	for i, h := range c.Hosts {
		hosts[i] = quote(h)
	}
	p("  hosts: [%s]", strings.Join(hosts, ", "))
	if c.TokenFile != "" {
		p("  token_file: %s", quote(c.TokenFile))
	}
	c.TLS.yaml(p)
}

func (c *ServerTLS) yaml(p func(format string, args ...any)) {
	if c.CertFile != "" {
		p("  tls:\n    cert_file: %s\n    key_file: %s", quote(c.CertFile), quote(c.KeyFile))
	}
}
