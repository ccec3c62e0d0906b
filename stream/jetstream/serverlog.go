package jetstream

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/rs/zerolog"
)

// serverLog takes what the embedded server says. A fatal error, for which the
// server's own logger would end the process, is kept for who started it.
type serverLog struct {
	log zerolog.Logger

	mu     sync.Mutex
	err    error
	broken string // what was said of a write that failed
}

// takeBroken gives what the server said of a failed write since the last call.
func (l *serverLog) takeBroken() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	said := l.broken
	l.broken = ""
	return said
}

func (l *serverLog) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	if l.err == nil {
		l.err = fmt.Errorf(format, v...)
	}
	l.mu.Unlock()
	l.log.Error().Msgf(format, v...)
}

func (l *serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if failedWrite(text) {
		l.mu.Lock()
		l.broken = text
		l.mu.Unlock()
	}
	l.log.Error().Msg(withoutContent(text))
}

func (l *serverLog) Warnf(format string, v ...any) {
	l.log.Warn().Msg(withoutContent(fmt.Sprintf(format, v...)))
}

func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug().Msg(withoutContent(fmt.Sprintf(format, v...)))
}

// The server is started without these.
func (l *serverLog) Debugf(string, ...any) {}
func (l *serverLog) Tracef(string, ...any) {}

// ofClient matches what the server puts before what it says of a client.
var ofClient = regexp.MustCompile(`^.{0,100} - [a-z_]+:[0-9]+`)

// withoutContent cuts what a client sent out of what the server says of it:
// its name, its user, which may be a token by mistake, its subjects and bytes.
func withoutContent(text string) string {
	who := ofClient.FindString(text)
	if who == "" {
		return text
	}
	lower := strings.ToLower(text[len(who):])
	for _, what := range []string{
		"authentication error", "authentication timeout", "authorization violation", "parser error", "maximum payload", "maximum control line",
		"slow consumer", "tls handshake error", "publish violation", "subscription violation", "stale connection", "readloop processing time",
		"invalid subject", "maximum connections", "maximum subscriptions",
	} {
		if strings.Contains(lower, what) {
			return who + " - " + what
		}
	}
	return who + " - error of a client"
}
