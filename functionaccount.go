package steppe

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/steppehq/steppe/integration/lambda"
)

// homeAccounts are those whose functions are that say nothing else. A server
// whose keys are all of one account has no other callers than its own program and
// that account's.
func homeAccounts(cfg *Config) []string {
	if cfg.Account != "" {
		return []string{cfg.Account}
	}
	homes := []string{DefaultAccount}
	for _, k := range cfg.Keys {
		if k.Account != cfg.Keys[0].Account {
			return homes
		}
	}
	if len(cfg.Keys) > 0 && cfg.Keys[0].Account != DefaultAccount {
		homes = append(homes, cfg.Keys[0].Account)
	}
	return homes
}

// accountsOf are those whose a function is. One that nobody can call is told
// about.
func accountsOf(cfg *Config, homes []string, what, account string) ([]string, error) {
	accounts := homes
	if account != "" {
		accounts = []string{account}
	}
	if account != lambda.AllAccounts && strings.ContainsFunc(account, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return nil, fmt.Errorf("steppe: the account %q of %s is none: it has twelve digits, or is * for all", account, what)
	}
	callable := len(cfg.Keys) == 0 || account == lambda.AllAccounts
	for _, k := range cfg.Keys {
		callable = callable || slices.Contains(accounts, k.Account)
	}
	if !callable {
		cfg.Logger.Warn("no key is of the account that it belongs to, so no caller reaches it; say whose it is (account: in steppe.yaml, --lambda-endpoint-account, or --account for all)",
			slog.String("of", what), slog.String("account", accounts[0]))
	}
	return accounts, nil
}

// addFunctionKeys makes a key for each account that has one: by it the functions of
// the account call the server. It is good in this life of the server.
func addFunctionKeys(cfg *Config) {
	keys := make(map[string]Key)
	for _, k := range cfg.Keys {
		if _, made := keys[k.Account]; !made && k.Account != "" {
			keys[k.Account] = Key{ID: "FUNCTION" + rand.Text(), Secret: rand.Text(), Account: k.Account}
		}
	}
	cfg.functionKeys = keys
	cfg.Keys = slices.Clone(cfg.Keys)
	for _, account := range slices.Sorted(maps.Keys(keys)) {
		cfg.Keys = append(cfg.Keys, keys[account])
	}
}

// credentials are what a function calls the server with, as one of the account that
// it belongs to: where no keys are checked the account is the ID.
func credentials(cfg *Config, homes []string, account string) (id, secret string) {
	if account == "" || account == lambda.AllAccounts {
		account = homes[len(homes)-1]
	}
	if len(cfg.Keys) == 0 {
		return account, "none"
	}
	k := cfg.functionKeys[account]
	return k.ID, k.Secret
}
