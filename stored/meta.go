package stored

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
)

// Meta is what the store keeps of an execution beside its history.
type Meta struct {
	Account, Region string
	Name            string // the execution's
	MachineName     string
	Machine         uint32 // its number
	Revision        uint64
	Type            catalogue.MachineType `json:",omitempty"` // "" is Standard
	RoleARN         string
	VersionARN      string `json:",omitempty"`
	AliasARN        string `json:",omitempty"`
	TraceHeader     string `json:",omitempty"`
	ID              string `json:",omitempty"` // the last part of an Express execution's ARN
	// Retention is how long the execution is kept after its end, in seconds.
	Retention int64 `json:",omitempty"`
	// Encryption says what the history is encrypted with, from its first event to
	// its last; nil when it is not.
	Encryption *catalogue.Encryption `json:",omitempty"`
	// Fork names of which execution, and of which of its events, this one is a fork.
	Fork *history.Fork `json:",omitempty"`
	// Parent is the task that asked for the execution, nil for none.
	Parent *Parent `json:",omitempty"`
	// Foreign reports that AWS recorded the history: it is whole, but has nothing
	// of what a replay needs beside the events.
	Foreign bool `json:",omitempty"`
}

// Tenant is the account and the region that the execution belongs to.
func (m *Meta) Tenant() catalogue.Tenant {
	return catalogue.Tenant{Account: m.Account, Region: m.Region}
}

// MachineARN is the ARN of the execution's state machine, without version or alias.
func (m *Meta) MachineARN() string { return m.Tenant().ARN("stateMachine", m.MachineName) }

// ExecutionARN is the ARN of the execution. That of an Express execution ends in an id,
// because the names of these may be used again.
func (m *Meta) ExecutionARN() string {
	if m.Type == catalogue.Express {
		return m.Tenant().ARN("express", m.MachineName, m.Name, m.ID)
	}
	return m.Tenant().ARN("execution", m.MachineName, m.Name)
}

// Info is what the interpreter knows of the execution. The seed of its random numbers
// derives from the ARN, so a replay draws the same ones.
func (m *Meta) Info() interpreter.Info {
	arn := m.ExecutionARN()
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(arn)) // never fails
	return interpreter.Info{
		ARN: arn, Name: m.Name,
		StateMachineARN: m.MachineARN(), MachineName: m.MachineName,
		RoleARN: m.RoleARN, VersionARN: m.VersionARN, AliasARN: m.AliasARN,
		Region: m.Region, Express: m.Type == catalogue.Express, Seed: seed.Sum64(),
	}
}

// RevisionKey names the revision that the execution runs by.
func (m *Meta) RevisionKey() catalogue.RevisionKey {
	return catalogue.RevisionKey{Machine: m.Machine, Revision: m.Revision}
}

// Key is where the store looks the execution up by its name.
func (m *Meta) Key() store.NameKey { return NameKey(m.Tenant(), m.MachineName, m.Name+m.ID) }

// Expiry is when the execution, which ended at a time, may be forgotten.
func (m *Meta) Expiry(stop time.Time) time.Time {
	return stop.Add(time.Duration(m.Retention) * time.Second)
}

// DecodeMeta reads the Meta of a record ([store.Record]). store.ErrDamaged.
func DecodeMeta(b []byte) (Meta, error) {
	var m Meta
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("stored: record of an execution: %w", damaged(err))
	}
	return m, nil
}

// damaged is an error of what is stored, which reading it again does not change.
func damaged(err error) error { return fmt.Errorf("%w: %w", store.ErrDamaged, err) }

// NewID makes the id of an execution that starts at a time: its shard, the time in
// nanoseconds, and random bits.
func NewID(s store.ShardID, now time.Time, random func([]byte)) store.ExecutionID {
	var id store.ExecutionID
	binary.BigEndian.PutUint64(id[:8], uint64(s)<<48|uint64(now.UnixMilli())&(1<<48-1))
	random(id[8:])
	below := uint32(now.Nanosecond()%1e6) << 12
	binary.BigEndian.PutUint32(id[8:], below|binary.BigEndian.Uint32(id[8:])&(1<<12-1))
	return id
}
