package kafka

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/segmentio/kafka-go"
)

// TLSOptions say how the broker's certificate is checked, and what this client
// proves itself with. With any of them set there is TLS.
type TLSOptions struct {
	Enabled    bool   // with the system's authorities and the host's name
	CAFile     string // PEM; empty: the system's authorities
	ServerName string // expected in the certificate; empty: the host of the broker
	// CertFile and KeyFile are PEM, and go together.
	CertFile, KeyFile string
	// InsecureSkipVerify takes any certificate, so anyone between here and the
	// broker can read and change all.
	InsecureSkipVerify bool
}

// config reads the files.
func (o *TLSOptions) config() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName, InsecureSkipVerify: o.InsecureSkipVerify}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("TLS authorities: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(bytes.TrimSpace(pem)) {
			return nil, fmt.Errorf("TLS authorities: file %s holds no certificate in PEM form", o.CAFile)
		}
	}
	switch {
	case (o.CertFile == "") != (o.KeyFile == ""):
		return nil, errors.New("TLS: there is one of the client's certificate and its key; name both files")
	case o.CertFile != "":
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("TLS certificate %s with the key %s: %w; both must be PEM, and the key the certificate's", o.CertFile, o.KeyFile, err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

// dial gives what makes a connection to an address, with its TLS handshake. The
// files are read now, to tell of mistakes, and for each connection again; when
// that fails, what was read before is good enough.
func (o *ConnectOptions) dial() (func(context.Context, string, string) (net.Conn, error), error) {
	dialer := &net.Dialer{Timeout: dialTimeout}
	if o.TLS == (TLSOptions{}) {
		return dialer.DialContext, nil
	}
	last, err := o.TLS.config()
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	current := func() *tls.Config {
		mu.Lock()
		defer mu.Unlock()
		conf, err := o.TLS.config()
		if err != nil {
			o.Logger.Warn().Err(err).Msg("going on with the files as they were read before")
			return last.Clone()
		}
		last = conf
		return conf.Clone()
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conf := current()
		if conf.ServerName == "" {
			host, _, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			conf.ServerName = host
		}
		raw, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(raw, conf)
		if err := conn.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, fmt.Errorf("TLS handshake with %s: %w", addr, err)
		}
		return conn, nil
	}, nil
}

// refusedTLS reports whether one side did not take the other's certificate.
func refusedTLS(err error) bool {
	var verify *tls.CertificateVerificationError
	var alert tls.AlertError
	return errors.As(err, &verify) || errors.As(err, &alert) || strings.Contains(err.Error(), "remote error: tls:")
}

// explain adds to an error of the first connect what to mend.
func (o *ConnectOptions) explain(err error) error {
	var (
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		cert      x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	withTLS := o.TLS != (TLSOptions{})
	mend := ""
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("nothing listens there (connection refused); start the broker, or correct its address")
	case errors.As(err, &dns):
		mend = "correct the host of the broker, or, where it is one that the broker itself gave (advertised.listeners), make it known here"
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		mend = fmt.Sprintf("the broker refuses user %q with this password for %s; correct the user, the password in %s, or the mechanism", o.SASL.User, o.SASL.Mechanism, o.SASL.PasswordFile)
	case errors.Is(err, kafka.UnsupportedSASLMechanism):
		mend = fmt.Sprintf("the broker does not offer %s on this listener; give a mechanism that is in its sasl.enabled.mechanisms", o.SASL.Mechanism)
	case errors.Is(err, kafka.IllegalSASLState):
		mend = "this listener takes no credentials; name the port of one with SASL, or remove the SASL settings"
	case errors.As(err, &authority):
		mend = "name the file with the certificate of its authority as the TLS CA file"
	case errors.As(err, &host):
		mend = "connect by a name that is in the certificate, or set the TLS server name to one"
	case errors.As(err, &cert):
		mend = "renew the broker's certificate, or check this machine's clock"
	case errors.As(err, &record):
		mend = "what listens there speaks no TLS; name the port of a listener with TLS, or remove the TLS settings"
	case refusedTLS(err) && o.TLS.CertFile == "":
		mend = "the broker refuses this client's side of TLS; it may ask for a client certificate: name its file and that of its key"
	case refusedTLS(err):
		mend = fmt.Sprintf("the broker refuses the certificate in %s; use one that an authority of its trust store has signed", o.TLS.CertFile)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		mend = "there was no answer in time; check the address, and whether that is a Kafka broker"
		err = Classify(err)
	case closed(err) && withTLS:
		mend = "the broker closed the connection; this may be a listener without TLS: name the port of one with TLS, or remove the TLS settings"
	case closed(err) && o.SASL == (SASLOptions{}):
		mend = "the broker closed the connection; this may be a listener that wants TLS or credentials: add the TLS or SASL settings"
	case closed(err):
		mend = "the broker closed the connection; this may be a listener that wants TLS: add the TLS settings"
	default:
		return Classify(err)
	}
	return fmt.Errorf("%w; %s", err, mend)
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
