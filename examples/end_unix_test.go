//go:build unix

package examples

import (
	"os/exec"
	"syscall"
)

// end has a command end together with what it started, as `go run` does its
// program.
func end(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
