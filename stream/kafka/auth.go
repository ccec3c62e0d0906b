package kafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// SASLOptions say who this client is. The zero value is nobody in particular.
type SASLOptions struct {
	Mechanism    string // one of Mechanisms
	User         string
	PasswordFile string
}

// Mechanisms lists the SASL mechanisms that are known.
func Mechanisms() []string { return []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} }

const maxSecret = 64 << 10

// login is a mechanism that reads the password for each connection anew.
type login struct {
	opts SASLOptions
	log  zerolog.Logger

	mu   sync.Mutex
	last string // that could be read
}

// newLogin reads the password, to tell of mistakes. It is nil without SASL.
func newLogin(o SASLOptions, log zerolog.Logger) (*login, error) {
	switch {
	case o == (SASLOptions{}):
		return nil, nil
	case o.Mechanism == "":
		return nil, errors.New("there are credentials and no SASL mechanism; give one of " + strings.Join(Mechanisms(), ", "))
	case !slices.Contains(Mechanisms(), o.Mechanism):
		return nil, fmt.Errorf("SASL mechanism %.40q is not known; give one of %s", o.Mechanism, strings.Join(Mechanisms(), ", "))
	case o.User == "":
		return nil, errors.New("there is no user for SASL; name the user")
	case o.PasswordFile == "":
		return nil, errors.New("there is a user without a password file; name the file that holds the password")
	}
	l := &login{opts: o, log: log}
	var err error
	if l.last, err = readSecret(o.PasswordFile); err != nil {
		return nil, err
	}
	if _, err := l.mechanism(l.last); err != nil {
		return nil, err
	}
	return l, nil
}

// Name implements sasl.Mechanism.
func (l *login) Name() string { return l.opts.Mechanism }

// Start implements sasl.Mechanism.
func (l *login) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	m, err := l.mechanism(l.password())
	if err != nil {
		return nil, nil, err
	}
	return m.Start(ctx)
}

// password reads the file; when that fails, the last one is good enough.
func (l *login) password() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, err := readSecret(l.opts.PasswordFile)
	if err != nil {
		l.log.Warn().Err(err).Msg("going on with the one read before")
		return l.last
	}
	l.last = s
	return s
}

func (l *login) mechanism(password string) (sasl.Mechanism, error) {
	var m sasl.Mechanism
	var err error
	switch l.opts.Mechanism {
	case "PLAIN":
		return plain.Mechanism{Username: l.opts.User, Password: password}, nil
	case "SCRAM-SHA-256":
		m, err = scram.Mechanism(scram.SHA256, l.opts.User, password)
	default:
		m, err = scram.Mechanism(scram.SHA512, l.opts.User, password)
	}
	if err != nil { // of what is in the file, which the error might show
		return nil, fmt.Errorf("SASL: the user or the password in %s holds characters that SCRAM does not allow", l.opts.PasswordFile)
	}
	return m, nil
}

// readSecret reads a file that holds one secret, and perhaps the end of a line.
func readSecret(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	s := strings.TrimRight(string(b), "\r\n")
	switch {
	case s == "":
		return "", fmt.Errorf("password file %s is empty; write the password into it", file)
	case len(s) > maxSecret, strings.ContainsAny(s, "\r\n"):
		return "", fmt.Errorf("password file %s holds more than one line; write the password alone into it", file)
	}
	return s, nil
}
