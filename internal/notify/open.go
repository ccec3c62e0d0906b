package notify

import (
	"fmt"
	"net/http"
	"os"

	"misstep/internal/config"
	"misstep/internal/secret"
	"misstep/sinks"
)

// types are the sinks that a configuration can name, by their type.
var types = map[string]func(*config.Sink) (sinks.Sink, error){
	"webhook": func(s *config.Sink) (sinks.Sink, error) {
		o := sinks.WebhookOptions{Name: s.Name, Endpoint: endpoint(s), Template: s.Template}
		if s.BodyFile != "" {
			b, err := os.ReadFile(s.BodyFile)
			if err != nil {
				return nil, fmt.Errorf("template: %w", err)
			}
			o.Body = string(b)
		}
		if s.KeyFile != "" {
			o.Key = file(s.KeyFile)
		}
		if s.SecretFile != "" {
			o.Sign = file(s.SecretFile)
		}
		return sinks.NewWebhook(o)
	},
	"alertmanager": func(s *config.Sink) (sinks.Sink, error) {
		o := sinks.AlertmanagerOptions{Name: s.Name, Endpoint: endpoint(s), Resend: s.Resend, Labels: map[string]string{}}
		for _, l := range s.Labels {
			o.Labels[l.Name] = l.Value
		}
		return sinks.NewAlertmanager(o), nil
	},
}

// Open makes the sink that a configuration names, and looks whether its secrets
// can be read. It connects to nothing.
func Open(s *config.Sink) (sinks.Sink, error) {
	for _, f := range []string{s.URLFile, s.TokenFile, s.KeyFile, s.SecretFile} {
		if f == "" {
			continue
		}
		if _, err := secret.Text(f); err != nil {
			return nil, fmt.Errorf("sink %s: secret: %w", s.Name, err)
		}
	}
	sink, err := types[s.Type](s)
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", s.Name, err)
	}
	return sink, nil
}

func file(name string) sinks.Secret { return func() (string, error) { return secret.Text(name) } }

func endpoint(s *config.Sink) sinks.Endpoint {
	e := sinks.Endpoint{URL: func() (string, error) { return s.URL, nil }, Timeout: s.Timeout, Transport: http.DefaultTransport.(*http.Transport).Clone(), Headers: map[string]string{}}
	if s.URLFile != "" {
		e.URL = file(s.URLFile)
	}
	for _, h := range s.Headers {
		e.Headers[h.Name] = h.Value
	}
	if s.TokenFile != "" {
		e.Auth = func() (string, error) {
			token, err := secret.Text(s.TokenFile)
			return "Bearer " + token, err
		}
	}
	return e
}
