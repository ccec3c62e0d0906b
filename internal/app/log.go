package app

import (
	"io"
	"time"

	"github.com/rs/zerolog"

	"misstep/internal/config"
	"misstep/sinks"
)

// NewLog writes to w what the configuration asks for. getenv tells of colours.
func NewLog(w io.Writer, c config.Log, getenv func(string) string) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	o := sinks.TerminalOptionsFor(w, getenv)
	if c.Format == "console" || c.Format == "auto" && o.Width > 0 {
		w = zerolog.ConsoleWriter{Out: w, NoColor: !o.Color, TimeFormat: time.DateTime, TimeLocation: time.UTC}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}
