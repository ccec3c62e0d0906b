//go:build !unix && !windows

package sinks

import "os"

// terminalWidth is 0: it is not known here.
func terminalWidth(*os.File) int { return 0 }
