package secret

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	const good = "0123456789abcdef"
	for content, want := range map[string]string{
		good: "", good + "\n": "", good + "\r\n": "", " " + good + " \n\n": "",
		"":                        "is empty",
		" \n":                     "is empty",
		"short\n":                 "holds 5 characters, too few",
		good + "\n" + good:        "holds white space",
		good + "\x00":             "holds white space or characters beyond ASCII",
		good + "\u00e9":           "holds white space or characters beyond ASCII",
		strings.Repeat("x", 4097): "holds more than 4096 characters",
	} {
		write(t, file, content)
		token, err := OpenToken(file)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
				t.Errorf("%q: %v, want %s", content, err, want)
			} else if strings.Contains(err.Error(), good) || strings.Contains(err.Error(), "short") {
				t.Errorf("the error tells the token: %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", content, err)
			continue
		}
		if !token.Is(good) {
			t.Errorf("%q does not take the token", content)
		}
		for _, other := range []string{"", good[1:], good + "x", good + "\n", strings.ToUpper(good)} {
			if token.Is(other) {
				t.Errorf("%q takes %q", content, other)
			}
		}
	}
	if _, err := OpenToken(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "there is no such file") {
		t.Errorf("a file that is not there gave %v", err)
	}
	if _, err := OpenToken(t.TempDir()); err == nil {
		t.Error("a folder was taken")
	}
}

func TestTokenReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, strings.Repeat("a", 20))
	token, err := OpenToken(file)
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := token.Reload(); changed || err != nil {
		t.Errorf("the same file gave %v, %v", changed, err)
	}
	write(t, file, "")
	if _, err := token.Reload(); err == nil || !token.Is(strings.Repeat("a", 20)) {
		t.Errorf("an empty file: %v; the old token is not in force", err)
	}
	write(t, file, strings.Repeat("b", 20)+"\n")
	if changed, err := token.Reload(); !changed || err != nil {
		t.Errorf("another token gave %v, %v", changed, err)
	}
	if token.Is(strings.Repeat("a", 20)) || !token.Is(strings.Repeat("b", 20)) {
		t.Error("the new token is not in force")
	}
}

func TestExposed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: no modes here")
	}
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, "x")
	for mode, want := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o644: true, 0o602: true} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if got := Exposed(file); (got != "") != want {
			t.Errorf("mode %o gave %q", mode, got)
		}
	}
	if got := Exposed(file + "x"); got != "" {
		t.Errorf("a file that is not there gave %q", got)
	}
}

// pair writes a self-signed certificate and gives its serial number.
func pair(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	k, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, certFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k})))
}

func TestCert(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	if _, err := OpenCert(cert, key); err == nil || !strings.Contains(err.Error(), "there is no such file") {
		t.Errorf("no files gave %v", err)
	}
	pair(t, cert, key, 1)
	c, err := OpenCert(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		got, err := c.TLS().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Leaf.SerialNumber.Int64()
	}
	pair(t, cert, filepath.Join(dir, "other"), 2)
	if err := c.Reload(); err == nil || !strings.Contains(err.Error(), "the key the certificate's") || serial() != 1 {
		t.Errorf("the key of another certificate gave %v, serial %d", err, serial())
	}
	pair(t, cert, key, 3)
	if err := c.Reload(); err != nil || serial() != 3 {
		t.Errorf("a new certificate gave %v, serial %d", err, serial())
	}
}
