package app

import (
	"crypto/tls"
	"errors"

	"github.com/rs/zerolog"

	"misstep/internal/config"
	"misstep/internal/httpd"
	"misstep/internal/secret"
)

// secrets are the tokens and certificates of a configuration, and what they
// make of its servers.
type secrets struct {
	http, admin httpd.Access
	nats        func(token string) bool // nil: anybody may connect
	natsTLS     *tls.Config

	reloads []func() error
}

// openSecrets reads the files that a configuration names, and warns of what
// makes them known to others.
func openSecrets(c *config.Config, log zerolog.Logger) (*secrets, error) {
	s := &secrets{}
	var err error
	for _, h := range []struct {
		name   string
		c      *config.HTTP
		access *httpd.Access
	}{{"http", &c.HTTP, &s.http}, {"admin", &c.Admin, &s.admin}} {
		if h.c.Listen == "" {
			continue
		}
		h.access.Hosts = h.c.Hosts
		h.access.AnyHost = len(h.c.Hosts) == 0 && !config.Loopback(h.c.Listen)
		if h.access.Token, h.access.TLS, err = s.open(h.name, h.c.Listen, h.c.TokenFile, h.c.TLS, log); err != nil {
			return nil, err
		}
	}
	if !c.NATS.External() {
		s.nats, s.natsTLS, err = s.open("nats", c.NATS.Listen, c.NATS.TokenFile, c.NATS.TLS.ServerTLS, log)
	}
	return s, err
}

func (s *secrets) open(name, listen, tokenFile string, c config.ServerTLS, log zerolog.Logger) (is func(string) bool, t *tls.Config, err error) {
	warn := func(file string) {
		if w := secret.Exposed(file); w != "" {
			log.Warn().Str("setting", name).Msg(w)
		}
	}
	if tokenFile != "" {
		token, err := secret.OpenToken(tokenFile)
		if err != nil {
			return nil, nil, err
		}
		warn(tokenFile)
		is = token.Is
		s.reloads = append(s.reloads, func() error {
			changed, err := token.Reload()
			if changed {
				log.Info().Str("setting", name).Msg("another token is in force; who is connected stays so")
			}
			return err
		})
	}
	if c.CertFile != "" {
		cert, err := secret.OpenCert(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, nil, err
		}
		warn(c.KeyFile)
		t = cert.TLS()
		s.reloads = append(s.reloads, cert.Reload)
	}
	if is != nil && t == nil && !config.Loopback(listen) {
		log.Warn().Str("setting", name).Msg("token and steps cross the network in clear text; name tls.cert_file and tls.key_file, or let a proxy speak TLS")
	}
	return is, t, nil
}

// reload reads the files again. What could not be read keeps what was read
// before; the rest is in force.
func (s *secrets) reload() error {
	var errs []error
	for _, r := range s.reloads {
		errs = append(errs, r())
	}
	return errors.Join(errs...)
}
