package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"misstep/internal/require"
)

// TestTerminalGone: a signal to reload does that, but when the terminal was
// closed, the detector stops, as every command does.
func TestTerminalGone(t *testing.T) {
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		require.Cannot(t, "there is no pseudo-terminal here")
	}
	defer pty.Close()
	if err := unix.IoctlSetPointerInt(int(pty.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(pty.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		require.Cannot(t, err.Error())
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	conf := fmt.Sprintf("data: %q\nhttp: {listen: '127.0.0.1:0'}\nnats: {listen: '127.0.0.1:0'}\nlog: {format: json}\n", filepath.Join(dir, "data"))
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(os.Args[0], "run", "-c", file)}
	p.cmd.Env = append(os.Environ(), childKind+"=detector")
	p.cmd.Stdin = tty
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	pipe, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(pipe)
	t.Cleanup(p.kill)
	tty.Close()
	p.logged("started")
	p.signal(syscall.SIGHUP)
	p.logged("reloaded")
	pty.Close()
	p.logged("stopping")
	if code := p.exit(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}
