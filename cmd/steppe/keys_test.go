package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	main "github.com/steppehq/steppe/cmd/steppe"
)

// writeCertificate makes a certificate of this machine and its key.
func writeCertificate(name, certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// TestCertificateIsReadAgain: a certificate that changes is used, one that is
// broken is not.
func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	get := main.Certificate(cert, key)
	if _, err := get(); err == nil {
		t.Error("no certificate is no error")
	}
	at := time.Now()
	for i, name := range []string{"first", "second", "", "third"} {
		want := name
		if name == "" {
			want = "second"
			if err := os.WriteFile(cert, []byte("broken"), 0o600); err != nil {
				t.Fatal(err)
			}
		} else if err := writeCertificate(name, cert, key); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(cert, at, at.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
		pair, err := get()
		if err != nil {
			t.Fatal(err)
		}
		if got := pair.Leaf.Subject.CommonName; got != want {
			t.Errorf("%q: the certificate is of %q", name, got)
		}
	}
}
