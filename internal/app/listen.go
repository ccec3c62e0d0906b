package app

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"misstep/stream/jetstream"
)

// wsaeaddrinuse is what Windows says where others say EADDRINUSE.
const wsaeaddrinuse = syscall.Errno(10048)

// listen opens the port of the HTTP server. When another process has it, the
// error says which, if that is known, and how to take another.
func listen(addr string) (net.Listener, error) {
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
	return nil, anotherAddr(err, "HTTP", "--http", "http.listen")
}

// anotherAddr says how to listen elsewhere.
func anotherAddr(err error, server, flag, field string) error {
	return fmt.Errorf("%s server: %w; choose another address with %s, or %s in the configuration (port 0 takes a free one)", server, err, flag, field)
}
