package app

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"misstep/internal/config"
)

func TestNewLog(t *testing.T) {
	for _, c := range []struct {
		format, level string
		lines         int
		json          bool
	}{
		{"json", "info", 2, true},
		{"auto", "warn", 1, true}, // a buffer is no terminal
		{"console", "debug", 3, false},
		{"json", "error", 0, true},
	} {
		var b bytes.Buffer
		log := NewLog(&b, config.Log{Format: c.format, Level: c.level}, func(string) string { return "" })
		log.Debug().Msg("one")
		log.Info().Msg("two")
		log.Warn().Msg("three")
		if n := strings.Count(b.String(), "\n"); n != c.lines {
			t.Errorf("%+v: %d lines", c, n)
		}
		for line := range strings.Lines(b.String()) {
			if json.Valid([]byte(line)) != c.json {
				t.Errorf("%+v: %s", c, line)
			}
			if strings.Contains(line, "\x1b") {
				t.Errorf("%+v: colour without a terminal: %q", c, line)
			}
		}
	}
}
