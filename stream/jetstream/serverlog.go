package jetstream

import (
	"fmt"
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
	if failedWrite(format) {
		l.mu.Lock()
		l.broken = fmt.Sprintf(format, v...)
		l.mu.Unlock()
	}
	l.log.Error().Msgf(format, v...)
}

func (l *serverLog) Warnf(format string, v ...any)   { l.log.Warn().Msgf(format, v...) }
func (l *serverLog) Noticef(format string, v ...any) { l.log.Debug().Msgf(format, v...) }
func (l *serverLog) Debugf(format string, v ...any)  { l.log.Trace().Msgf(format, v...) }
func (l *serverLog) Tracef(format string, v ...any)  { l.log.Trace().Msgf(format, v...) }
