package secret

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"
)

// Cert is a certificate with its key. It is safe for concurrent use.
type Cert struct {
	certFile, keyFile string
	cert              atomic.Pointer[tls.Certificate]
}

// OpenCert reads a certificate, with those that lead to its root, and its key
// from PEM files.
func OpenCert(certFile, keyFile string) (*Cert, error) {
	c := &Cert{certFile: certFile, keyFile: keyFile}
	if err := c.Reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Reload reads the files again. After an error the certificate before is in
// force.
func (c *Cert) Reload() error {
	cert, err := read(c.certFile)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	key, err := read(c.keyFile)
	if err != nil {
		return fmt.Errorf("key of the certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("certificate %s with the key %s: %w; both must be PEM, and the key the certificate's", c.certFile, c.keyFile, err)
	}
	c.cert.Store(&pair)
	return nil
}

// TLS is the configuration of a server that shows the certificate, the newest
// in each handshake.
func (c *Cert) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.cert.Load(), nil },
	}
}
