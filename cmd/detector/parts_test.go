package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"misstep/internal/config"
)

func TestWrap(t *testing.T) {
	var b strings.Builder
	wrap(&b, "  ", "finds  ", strings.Repeat("1234567 ", 19)+strings.Repeat("x", 100)+" end")
	nine := strings.TrimSuffix(strings.Repeat("1234567 ", 9), " ") // up to the last column
	want := "  finds  " + nine + "\n" +
		"         " + nine + "\n" +
		"         1234567\n" +
		"         " + strings.Repeat("x", 100) + "\n" +
		"         end\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	wrap(&b, "  ", "needs  ", "")
	if b.String() != "  needs\n" {
		t.Errorf("nothing becomes %q", b.String())
	}
}

func TestManualParts(t *testing.T) {
	manual := output(t, "rules")
	if strings.HasPrefix(manual, "\n") || !strings.Contains(manual, "\n\nretry_loop: ") {
		t.Error("the detectors are not parted by one blank line")
	}
}

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
		log := newLog(&b, config.Log{Format: c.format, Level: c.level})
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
