package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"runtime"

	"github.com/steppehq/steppe/catalogue"
)

// loadEncryptionKeys reads a file of customers' keys; without a file there are
// none.
//
//   - {id: alias/orders, key: …, account: "111122223333"}
//
// The id is what kmsKeyId says, the key 32 random bytes in base64. Of several
// keys with one id the first encrypts; all of them decrypt. A key without an
// account is of the one that the id names, or of the server's; "*" stands for all.
func loadEncryptionKeys(path string) ([]catalogue.EncryptionKey, error) {
	if path == "" {
		return nil, nil
	}
	var entries []struct {
		ID      string `yaml:"id"`
		Account string `yaml:"account"`
		Key     string `yaml:"key"`
	}
	if err := readYAML(path, &entries, private); err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s: it holds no key; a key is {id: alias/orders, key: …}, and openssl rand -base64 32 makes one", path)
	}
	keys := make([]catalogue.EncryptionKey, len(entries))
	for i, e := range entries {
		key, err := base64.StdEncoding.DecodeString(e.Key)
		if err != nil {
			return nil, fmt.Errorf("%s: key %d: %s: the key is not in base64; openssl rand -base64 32 makes one", path, i+1, e.ID)
		}
		keys[i] = catalogue.EncryptionKey{ID: e.ID, Account: e.Account, Key: key}
		if err := keys[i].Check(); err != nil {
			return nil, fmt.Errorf("%s: key %d: %w", path, i+1, err)
		}
	}
	return keys, nil
}

// private refuses a file that others may read, or change. The group may read it:
// that is how orchestrators hand secrets to a server.
func private(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	const others = 0o027
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&others != 0 {
		return fmt.Errorf("others may read or change the file (its mode is %04o): chmod 600 %s", mode, f.Name())
	}
	return nil
}
