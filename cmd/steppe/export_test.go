package main

import (
	"crypto/tls"
	"time"
)

// Certificate reads a certificate again at each call, whatever the time.
func Certificate(cert, key string) func() (*tls.Certificate, error) {
	k := &keyPair{cert: cert, key: key}
	return func() (*tls.Certificate, error) {
		k.checked = time.Time{}
		return k.get(nil)
	}
}

// OpenAudit opens an audit file.
func OpenAudit(path string, size int64, keep int) (*auditFile, error) {
	return openAudit(path, size, keep)
}

// Reopen does what SIGHUP does.
func (a *auditFile) Reopen() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reopen()
}

// Descriptors shares files between connections and the store.
var Descriptors = descriptors
