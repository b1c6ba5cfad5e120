package stored

import (
	"hash/fnv"
	"io"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
)

// ScopeOf is the namespace of the executions of a state machine.
func ScopeOf(t catalogue.Tenant, machine string) store.Scope {
	return store.Scope(catalogue.Hash(t.Account, t.Region, machine))
}

// NameKey is where the store looks up an execution by its name.
func NameKey(t catalogue.Tenant, machine, name string) store.NameKey {
	return store.NameKey{Scope: ScopeOf(t, machine), Name: name}
}

// ShardOf spreads executions over shards by their names.
func ShardOf(key store.NameKey, shards int) int {
	h := fnv.New32a()
	_, _ = h.Write(key.Scope[:]) // never fails
	_, _ = io.WriteString(h, key.Name)
	return int(h.Sum32() % uint32(shards))
}
