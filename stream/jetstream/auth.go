package jetstream

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/rs/zerolog"
)

// credentials has the secret read now, to tell of mistakes, and at each connect
// again; when that fails, the last one is good enough.
func (o *ConnectOptions) credentials(log zerolog.Logger) ([]nats.Option, error) {
	ways := 0
	for _, given := range []bool{o.User != "" || o.PasswordFile != "", o.TokenFile != "", o.NKeyFile != "", o.CredentialsFile != ""} {
		if given {
			ways++
		}
	}
	switch {
	case ways > 1:
		return nil, errors.New("there are several of a user, a token, an NKey and a credentials file; give one of them")
	case o.User != "" && o.PasswordFile == "":
		return nil, errors.New("there is a user without a password file; name the file that holds the password")
	case o.User == "" && o.PasswordFile != "":
		return nil, errors.New("there is a password file without a user; name the user")
	case o.NKeyFile != "":
		return nkeyOf(o.NKeyFile)
	case o.CredentialsFile != "":
		return credentialsOf(o.CredentialsFile, log)
	case ways == 0:
		return nil, nil
	}
	what, file := "password", o.PasswordFile
	if o.TokenFile != "" {
		what, file = "token", o.TokenFile
	}
	secret, err := readSecret(what, file)
	if err != nil {
		return nil, err
	}
	current := newest(secret, log, func() (string, error) { return readSecret(what, file) })
	if o.TokenFile != "" {
		return []nats.Option{nats.TokenHandler(current)}, nil
	}
	return []nats.Option{nats.UserInfoHandler(func() (string, string) { return o.User, current() })}, nil
}

// newest gives what read gives, or what it gave last when it fails.
func newest[T any](first T, log zerolog.Logger, read func() (T, error)) func() T {
	var mu sync.Mutex
	return func() T {
		mu.Lock()
		defer mu.Unlock()
		v, err := read()
		if err != nil {
			log.Warn().Err(err).Msg("going on with the one read before")
			return first
		}
		first = v
		return v
	}
}

// nkeyOf proves that the client has the seed in a file.
func nkeyOf(file string) ([]nats.Option, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("NKey file: %w", err)
	}
	pair, err := nkeys.ParseDecoratedNKey(b)
	if err != nil { // which might show what is in the file
		return nil, fmt.Errorf("NKey file %s holds no seed of a user; write it there, it begins with SU", file)
	}
	public, err := pair.PublicKey()
	if err != nil || !nkeys.IsValidPublicUserKey(public) {
		return nil, fmt.Errorf("NKey file %s holds a seed that is no user's; give one that begins with SU", file)
	}
	return []nats.Option{nats.Nkey(public, pair.Sign)}, nil
}

// bearer is what a credentials file holds.
type bearer struct {
	jwt  string
	pair nkeys.KeyPair
}

// credentialsOf shows the JWT in a file, and proves that the client has its seed.
func credentialsOf(file string, log zerolog.Logger) ([]nats.Option, error) {
	read := func() (i bearer, err error) {
		b, err := os.ReadFile(file)
		if err != nil {
			return i, fmt.Errorf("credentials file: %w", err)
		}
		if i.jwt, err = nkeys.ParseDecoratedJWT(b); err == nil && strings.Count(i.jwt, ".") == 2 {
			if i.pair, err = nkeys.ParseDecoratedNKey(b); err == nil {
				return i, nil
			}
		}
		return i, fmt.Errorf("credentials file %s lacks the JWT or the seed; write one with `nsc generate creds`", file)
	}
	first, err := read()
	if err != nil {
		return nil, err
	}
	current := newest(first, log, read)
	return []nats.Option{nats.UserJWT(
		func() (string, error) { return current().jwt, nil },
		func(nonce []byte) ([]byte, error) { return current().pair.Sign(nonce) },
	)}, nil
}

// readSecret reads a file that holds one secret, and perhaps the end of a line.
func readSecret(what, file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s file: %w", what, err)
	}
	s := strings.TrimRight(string(b), "\r\n")
	switch {
	case s == "":
		return "", fmt.Errorf("%s file %s is empty; write the %s into it", what, file, what)
	case len(s) > maxSecret, strings.ContainsAny(s, "\r\n"):
		return "", fmt.Errorf("%s file %s holds more than one line; write the %s alone into it", what, file, what)
	}
	return s, nil
}

// tlsConfig is nil when the server decides whether there is TLS.
func (o *ConnectOptions) tlsConfig() (*tls.Config, error) {
	if o.TLS == (TLSOptions{}) {
		return nil, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.TLS.ServerName, InsecureSkipVerify: o.TLS.InsecureSkipVerify}
	if o.TLS.CAFile != "" {
		pem, err := os.ReadFile(o.TLS.CAFile)
		if err != nil {
			return nil, fmt.Errorf("TLS authorities: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(bytes.TrimSpace(pem)) {
			return nil, fmt.Errorf("TLS authorities: file %s holds no certificate in PEM form", o.TLS.CAFile)
		}
	}
	switch {
	case (o.TLS.CertFile == "") != (o.TLS.KeyFile == ""):
		return nil, errors.New("TLS: there is one of the client's certificate and its key; name both files")
	case o.TLS.CertFile != "":
		first, err := o.TLS.pair()
		if err != nil {
			return nil, err
		}
		current := newest(first, o.Logger, o.TLS.pair)
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return current(), nil }
	}
	return conf, nil
}

// pair reads the client's certificate and its key.
func (o *TLSOptions) pair() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate %s with the key %s: %w; both must be PEM, and the key the certificate's", o.CertFile, o.KeyFile, err)
	}
	return &pair, nil
}

// explain adds to an error of the first connect what to mend.
func (o *ConnectOptions) explain(err error) error {
	var (
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		cert      x509.CertificateInvalidError
		record    tls.RecordHeaderError
		alert     tls.AlertError
	)
	mend := ""
	switch text := strings.ToLower(err.Error()); {
	case errors.Is(err, nats.ErrNoServers):
		return errors.New("nothing listens there (connection refused); start the server, or correct the URL")
	case errors.As(err, &dns):
		mend = "correct the host in the URL"
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		strings.Contains(text, "authorization violation"):
		switch {
		case o.TokenFile != "":
			mend = fmt.Sprintf("the server refuses the token; correct it in %s", o.TokenFile)
		case o.NKeyFile != "":
			mend = fmt.Sprintf("the server refuses the NKey in %s; add its public key to the server's users, or correct the file", o.NKeyFile)
		case o.CredentialsFile != "":
			mend = fmt.Sprintf("the server refuses the credentials in %s; they may be of another operator, revoked or expired: have new ones made", o.CredentialsFile)
		case o.User != "":
			mend = fmt.Sprintf("the server refuses user %q with this password; correct the user, or the password in %s", o.User, o.PasswordFile)
		default:
			mend = "the server asks for credentials; name a user and a password file, a token file, an NKey file or a credentials file"
		}
	case errors.As(err, &authority):
		mend = "name the file with the certificate of its authority as the TLS CA file"
	case errors.As(err, &host):
		mend = "connect by a name that is in the certificate, or set the TLS server name to one"
	case errors.As(err, &cert):
		mend = "renew the server's certificate, or check this machine's clock"
	case errors.Is(err, nats.ErrSecureConnWanted):
		mend = "the server has no TLS, and TLS is set here; switch it on there, or remove the TLS settings and use nats://"
	case errors.As(err, &record):
		mend = "what listens there is no NATS server with TLS"
	case errors.As(err, &alert), strings.Contains(text, "remote error: tls:"),
		strings.Contains(text, "after tls handshake"):
		mend = "the server refuses this client's side of TLS; it may ask for a client certificate: name its file and that of its key"
		if o.TLS.CertFile != "" {
			mend = fmt.Sprintf("the server refuses the certificate in %s; use one that an authority of its ca_file has signed", o.TLS.CertFile)
		}
	case errors.Is(err, nats.ErrTimeout), strings.Contains(text, "i/o timeout"):
		mend = fmt.Sprintf("there was no answer within %v; check the URL, and whether that is a NATS server", connectTimeout)
	default:
		return err
	}
	return fmt.Errorf("%w; %s", err, mend)
}
