package catalogue

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
)

// Tenant is an account in a region: the namespace of all names.
type Tenant struct {
	Account, Region string
}

// partition is the part of an ARN that distinguishes AWS's own clouds.
func (t Tenant) partition() string {
	switch {
	case strings.HasPrefix(t.Region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(t.Region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// ARN returns the ARN of a resource of Step Functions: kind is "stateMachine" or what
// else [Name] has, names are the parts after it, without the colons between them.
func (t Tenant) ARN(kind string, names ...string) string {
	partition := t.partition()
	size := len("arn::states:::") + len(partition) + len(t.Region) + len(t.Account) + len(kind)
	for _, name := range names {
		size += 1 + len(name)
	}
	var b strings.Builder
	b.Grow(size)
	for _, part := range [...]string{"arn:", partition, ":states:", t.Region, ":", t.Account, ":", kind} {
		b.WriteString(part)
	}
	for _, name := range names {
		b.WriteByte(':')
		b.WriteString(name)
	}
	return b.String()
}

// Name is what an ARN of Step Functions names.
type Name struct {
	Tenant
	Kind string   // "stateMachine", "execution", "express", "activity", "mapRun"
	Path []string // the parts after the kind
}

// ParseARN splits an ARN of Step Functions. It is false when the text is none.
func ParseARN(arn string) (Name, bool) {
	parts := strings.Split(arn, ":")
	if len(parts) < 7 || parts[0] != "arn" || parts[2] != "states" || parts[3] == "" || parts[4] == "" || parts[5] == "" {
		return Name{}, false
	}
	return Name{Tenant{parts[4], parts[3]}, parts[5], parts[6:]}, true
}

// Hash is the beginning of the SHA-256 of some texts.
func Hash(parts ...string) [8]byte {
	h := sha256.New()
	for _, part := range parts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	var sum [sha256.Size]byte
	return [8]byte(h.Sum(sum[:0]))
}
