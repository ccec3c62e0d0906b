package kafkatest

import (
	"os/exec"
	"syscall"
)

// tie ends the process with the one that started it, however that ends.
func tie(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
