package app

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"misstep/internal/config"
	"misstep/stream/jetstream"
)

// wsaeaddrinuse is what Windows says where others say EADDRINUSE.
const wsaeaddrinuse = syscall.Errno(10048)

// servers are the ports that were taken.
type servers struct {
	http  net.Listener
	admin net.Listener // nil: there is none
}

func listenAll(c *config.Config) (*servers, error) {
	s := &servers{}
	var err error
	if s.http, err = listen(c.HTTP.Listen, "HTTP", "--http", "http.listen"); err != nil {
		return nil, err
	}
	if c.Admin.Listen == "" {
		return s, nil
	}
	if s.admin, err = listen(c.Admin.Listen, "admin", "", "admin.listen"); err != nil {
		return nil, errors.Join(err, s.http.Close())
	}
	return s, nil
}

func (s *servers) close() error {
	err := s.http.Close()
	if s.admin != nil {
		err = errors.Join(err, s.admin.Close())
	}
	return err
}

// listen opens the port of a server. When another process has it, the error
// says which, if that is known, and how to take another.
func listen(addr, server, flag, field string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err == nil {
		return ln, nil
	}
	if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaeaddrinuse) {
		in := &jetstream.AddrInUseError{Addr: addr}
		if _, text, err := net.SplitHostPort(addr); err == nil {
			if port, err := strconv.Atoi(text); err == nil {
				in.Holder = jetstream.PortHolder(port)
			}
		}
		err = in
	}
	return nil, anotherAddr(err, server, flag, field)
}

// anotherAddr says how to listen elsewhere.
func anotherAddr(err error, server, flag, field string) error {
	if flag != "" {
		flag += ", or "
	}
	return fmt.Errorf("%s server: %w; choose another address with %s%s in the configuration (port 0 takes a free one)", server, err, flag, field)
}
