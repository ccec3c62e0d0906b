//go:build unix

package sinks

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminalWidth is how many columns a terminal has, 0 when it does not say.
func terminalWidth(f *os.File) int {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(ws.Col)
}
