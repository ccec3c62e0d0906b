//go:build !unix

package kafkatest

import "os"

func interrupt(p *os.Process) error { return p.Kill() }
