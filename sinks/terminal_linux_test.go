package sinks_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"misstep/sinks"
)

// TestTerminalOptionsForTerminal asks about a pseudo-terminal.
func TestTerminalOptionsForTerminal(t *testing.T) {
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no pseudo-terminal here: ", err)
		}
		t.Skip("there is no pseudo-terminal here")
	}
	defer tty.Close()
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 97}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		env  map[string]string
		want sinks.TerminalOptions
	}{
		{nil, sinks.TerminalOptions{Color: true, Width: 97}},
		{map[string]string{"NO_COLOR": "1"}, sinks.TerminalOptions{Width: 97}},
		{map[string]string{"TERM": "dumb"}, sinks.TerminalOptions{Width: 97}},
		{map[string]string{"TERM": "xterm", "COLUMNS": "60"}, sinks.TerminalOptions{Color: true, Width: 60}},
		{map[string]string{"COLUMNS": "0"}, sinks.TerminalOptions{Color: true, Width: 97}},
		{map[string]string{"COLUMNS": "wide"}, sinks.TerminalOptions{Color: true, Width: 97}},
	} {
		if got := sinks.TerminalOptionsFor(tty, func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%v gives %+v, want %+v", c.env, got, c.want)
		}
	}
}
