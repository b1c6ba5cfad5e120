package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/steppehq/steppe"
)

// loadKeys reads a file of access keys:
//
//   - {id: AKIAEXAMPLE, secret: …, account: "111122223333", regions: [eu-west-1]}
//
// Without regions a key is good for all.
func loadKeys(path string) ([]steppe.Key, error) {
	var entries []struct {
		ID      string   `yaml:"id"`
		Secret  string   `yaml:"secret"`
		Account string   `yaml:"account"`
		Regions []string `yaml:"regions"`
	}
	if err := readYAML(path, &entries, private); err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s: it holds no key; a key is {id: …, secret: …, account: \"111122223333\"}", path)
	}
	seen := make(map[string]bool)
	keys := make([]steppe.Key, len(entries))
	for i, e := range entries {
		switch {
		case e.ID == "" || e.Secret == "" || e.Account == "":
			return nil, fmt.Errorf("%s: key %d: id, secret and account must be given", path, i+1)
		case seen[e.ID]:
			return nil, fmt.Errorf("%s: key %d: there is another key with the id %s", path, i+1, e.ID)
		}
		seen[e.ID] = true
		keys[i] = steppe.Key{ID: e.ID, Secret: e.Secret, Account: e.Account, Regions: e.Regions}
	}
	return keys, nil
}

// keyPair is a certificate with its private key, read again when a file has
// changed.
type keyPair struct {
	cert, key string

	mu      sync.Mutex
	checked time.Time
	changed time.Time
	pair    *tls.Certificate
}

// checkEvery is how often the files are looked at.
const checkEvery = time.Second

// get returns the certificate. When the files cannot be read any more, it is the
// one that was read last.
func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if k.pair != nil && now.Sub(k.checked) < checkEvery {
		return k.pair, nil
	}
	k.checked = now
	changed, err := lastChange(k.cert, k.key)
	if err == nil && (k.pair == nil || changed.After(k.changed)) {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(k.cert, k.key); err == nil {
			k.pair, k.changed = &pair, changed
		}
	}
	if k.pair == nil {
		return nil, fmt.Errorf("the certificate %s: %w", k.cert, err)
	}
	return k.pair, nil
}

func lastChange(files ...string) (last time.Time, err error) {
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return last, err
		}
		if info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last, nil
}
