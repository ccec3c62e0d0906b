package jetstream

import (
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"misstep/stream"
)

const (
	// DefaultListen is where the embedded server takes connections.
	DefaultListen = "127.0.0.1:4222"
	// DefaultSyncInterval is how long the embedded server may hold back the
	// fsync of what it acknowledged: what a power failure can lose. The end of
	// the process, however it comes, loses nothing.
	DefaultSyncInterval = time.Second
	// MaxPayload is the size in bytes of the largest message that the embedded
	// server takes: a step message of 1 MiB and its headers, with room.
	MaxPayload = 2 << 20

	readyTimeout = 10 * time.Second
	tlsTimeout   = 5 * time.Second        // of a handshake
	ownWait      = 100 * time.Millisecond // between two tries to connect within the process
)

// EmbeddedOptions say how the embedded server runs. Dir is required.
type EmbeddedOptions struct {
	Dir string // data folder
	// Listen is an address, host:port; empty is DefaultListen, port 0 a free one.
	// One that other machines reach needs Auth.
	Listen string
	// Auth reports whether a client gave the right token; nil asks for none. It
	// is called by many goroutines.
	Auth func(token string) bool
	// TLS is what the server proves itself with; nil: it speaks in clear text.
	TLS *tls.Config
	// SyncInterval is the time between fsyncs, 0 is DefaultSyncInterval.
	SyncInterval time.Duration
	// SyncAlways has every message synced before it is acknowledged.
	SyncAlways bool
	// MaxStore bounds the disk space in bytes; 0 bounds it by MinFree alone.
	MaxStore int64
	// MinFree is how many bytes of the disk are kept free: with less, steps are
	// refused until there is room again. 0 is DefaultMinFree.
	MinFree int64
	// Prepare is called on a connection within the process before the server
	// takes any from outside; an error ends the start. May be nil.
	Prepare func(*nats.Conn) error
	// Logger takes the server's warnings and errors, and its notices as debug.
	// The zero value is silent.
	Logger zerolog.Logger

	free func(dir string) (int64, error) // nil: freeSpace
}

// AddrInUseError says that another process listens at the address.
type AddrInUseError struct {
	Addr   string
	Holder string // name and process of who listens, empty when it is not known
}

// Error names the address and who has it.
func (e *AddrInUseError) Error() string {
	if e.Holder == "" {
		return fmt.Sprintf("address %s is in use by another process", e.Addr)
	}
	return fmt.Sprintf("address %s is in use by %s", e.Addr, e.Holder)
}

// Embedded is a NATS server with JetStream within this process.
type Embedded struct {
	opts   EmbeddedOptions
	folder *stream.Folder
	own    string // token of connections within the process
	host   string
	port   int
	addr   string
	log    *serverLog
	guard  *guard
	close  sync.Once
	err    error

	mu     sync.Mutex
	server *server.Server // another after a restart
	conns  []*nats.Conn   // given by Connect
}

// StartEmbedded starts the server on the data folder, which this process then
// holds alone. The error is an *AddrInUseError, a *stream.FolderInUseError or a
// *stream.FolderVersionError where it is one of those.
func StartEmbedded(opts EmbeddedOptions) (*Embedded, error) {
	if opts.Listen == "" {
		opts.Listen = DefaultListen
	}
	if opts.SyncInterval == 0 {
		opts.SyncInterval = DefaultSyncInterval
	}
	host, port, err := listenAddr(opts.Listen, opts.Auth != nil)
	if err != nil {
		return nil, err
	}
	// The folder first: whoever has it usually has the address as well, and
	// knows more of itself.
	folder, err := stream.LockFolder(opts.Dir)
	if err != nil {
		return nil, err
	}
	e := &Embedded{opts: opts, folder: folder, own: rand.Text(), host: host, port: port, log: &serverLog{log: opts.Logger}}
	if e.server, err = e.start(); err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	e.guard = newGuard(opts, e)
	if e.guard.nc, err = e.Connect("misstep disk space"); err == nil {
		err = e.open()
	}
	if err != nil {
		if e.guard.nc != nil {
			e.guard.nc.Close()
		}
		srv := e.current()
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, errors.Join(err, folder.Close())
	}
	e.addr = e.server.Addr().String()
	if _, text, err := net.SplitHostPort(e.addr); err == nil {
		e.port, _ = strconv.Atoi(text) // the one that was free, for a restart
	}
	go e.guard.run()
	return e, nil
}

// open prepares what is to be, and has the server take connections from outside.
func (e *Embedded) open() error {
	if e.opts.Prepare != nil {
		e.guard.look(time.Now()) // it may have the stream for steps take them again
		nc, err := e.Connect("misstep")
		if err != nil {
			return err
		}
		err = e.opts.Prepare(nc)
		nc.Close()
		if err != nil {
			return err
		}
	}
	return e.listen(e.server)
}

// listen has a server take connections from outside.
func (e *Embedded) listen(srv *server.Server) error {
	ready := make(chan struct{})
	srv.AcceptLoop(ready)
	<-ready
	err := e.log.fatal()
	if err == nil {
		return nil
	}
	if in := free(e.host, max(e.port, 0)); in != nil {
		return in // taken since we looked
	}
	return fmt.Errorf("embedded NATS server: %w", err)
}

// start starts a server that takes connections within the process alone.
func (e *Embedded) start() (*server.Server, error) {
	opts, host, port, log := e.opts, e.host, e.port, e.log
	if opts.MaxStore == 0 {
		// The server's own default is less after each restart, the more it holds.
		opts.MaxStore = math.MaxInt64 / 4
	}
	if err := free(host, port); err != nil {
		return nil, err
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	so := &server.Options{
		ServerName:             "misstep",
		Host:                   host,
		Port:                   port,
		DontListen:             true, // see listen
		NoSigs:                 true, // signals are the program's
		JetStream:              true,
		StoreDir:               opts.Dir,
		JetStreamMaxStore:      opts.MaxStore,
		SyncInterval:           opts.SyncInterval,
		SyncAlways:             opts.SyncAlways,
		MaxPayload:             MaxPayload,
		DisableJetStreamBanner: true,
		TLSConfig:              opts.TLS,
		TLSTimeout:             tlsTimeout.Seconds(),
	}
	if opts.Auth != nil {
		so.CustomClientAuthentication = auth{opts.Auth, e.own}
	}
	srv, err := server.NewServer(so)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	srv.SetLoggerV2(log, false, false, false)
	srv.Start()
	err = log.fatal()
	if err == nil && !srv.ReadyForConnections(readyTimeout) {
		err = fmt.Errorf("not ready after %v", readyTimeout)
	}
	if err == nil && !srv.JetStreamEnabled() {
		err = errors.New("JetStream did not start")
	}
	if err == nil {
		err = log.fatal()
	}
	if err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	return srv, nil
}

// auth asks clients for a token.
type auth struct {
	is  func(token string) bool
	own string
}

// Check implements server.Authentication.
func (a auth) Check(c server.ClientAuthentication) bool {
	token := c.GetOpts().Token
	return a.is(token) || subtle.ConstantTimeCompare([]byte(token), []byte(a.own)) == 1
}

// listenAddr takes an address apart and refuses one that others can reach
// without being asked who they are.
func listenAddr(listen string, authenticated bool) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("listen address %q: want host:port, such as %s: %w", listen, DefaultListen, err)
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("listen address %q: %q is no port, want 0 to 65535", listen, text)
	}
	if ip := net.ParseIP(host); !authenticated && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", 0, fmt.Errorf("listen address %q can be reached from other machines, and clients are asked for no token: set one, or use a loopback address such as %s", listen, DefaultListen)
	}
	return host, port, nil
}

// free says whether the address can be listened at.
func free(host string, port int) error {
	addr := net.JoinHostPort(host, strconv.Itoa(port))
	l, err := net.Listen("tcp", addr)
	if err == nil {
		return l.Close()
	}
	if errors.Is(err, errAddrInUse) {
		return &AddrInUseError{Addr: addr, Holder: portHolder(port)}
	}
	return fmt.Errorf("embedded NATS server: %w", err)
}

// Addr is where the server takes connections from outside.
func (e *Embedded) Addr() string { return e.addr }

func (e *Embedded) current() *server.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.server
}

// InProcessConn gives the client a connection to the server, also when that was
// started anew.
func (e *Embedded) InProcessConn() (net.Conn, error) { return e.current().InProcessConn() }

// restart starts the server anew, at the same address. Clients come back by
// themselves; those within the process are told, so that they look for their
// consumers at once.
func (e *Embedded) restart() error {
	old := e.current()
	old.Shutdown()
	old.WaitForShutdown()
	srv, err := e.start()
	if err != nil {
		return err
	}
	if err := e.listen(srv); err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.server = srv
	for _, nc := range e.conns {
		_ = nc.ForceReconnect() // fails for one that is closed
	}
	return nil
}

// URL is the same for a client on this machine; a token is not in it.
func (e *Embedded) URL() string {
	addr := e.Addr()
	if host, port, err := net.SplitHostPort(addr); err == nil {
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			addr = net.JoinHostPort("127.0.0.1", port)
		}
	}
	if e.opts.TLS != nil {
		return "tls://" + addr
	}
	return "nats://" + addr
}

// Space says how much room there is, and whether steps are taken.
func (e *Embedded) Space() Space {
	e.guard.mu.Lock()
	defer e.guard.mu.Unlock()
	return e.guard.space
}

// Ownership is the data folder's: no other process can read its partitions.
func (e *Embedded) Ownership() stream.Ownership { return e.folder }

// Connect gives a connection within the process, for its caller to close. name
// shows in the server's monitoring.
func (e *Embedded) Connect(name string) (*nats.Conn, error) {
	log := e.opts.Logger
	nc, err := nats.Connect("", nats.InProcessServer(e), nats.Token(e.own), nats.Name(name), nats.MaxReconnects(-1), nats.ReconnectWait(ownWait),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			ev := log.Warn().Err(err).Str("connection", name)
			if sub != nil {
				ev = ev.Str("subject", sub.Subject)
			}
			ev.Msg("NATS client")
		}))
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded NATS server: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conns = append(slices.DeleteFunc(e.conns, (*nats.Conn).IsClosed), nc)
	return nc, nil
}

// Close stops the server, after which all that it acknowledged is on disk, and
// gives up the folder. Connections end.
func (e *Embedded) Close() error {
	e.close.Do(func() {
		e.guard.close()
		srv := e.current()
		srv.Shutdown()
		srv.WaitForShutdown()
		e.err = e.folder.Close()
	})
	return e.err
}
