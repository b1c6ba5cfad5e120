package stored

import (
	"strconv"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
)

// QualifierTerm is what the executions of a version or an alias are entered under.
func QualifierTerm(machine uint32, arn string) store.Term {
	return store.Term(catalogue.Hash("qualifier", strconv.FormatUint(uint64(machine), 10), arn))
}

// ForkTerm is what the forks of an execution are entered under.
func ForkTerm(origin string) store.Term { return store.Term(catalogue.Hash("fork", origin)) }

// ErrorTerm is what the executions of a tenant are entered under that failed with an
// Error Name.
func ErrorTerm(t catalogue.Tenant, name string) store.Term {
	return store.Term(catalogue.Hash("error", t.Account, t.Region, name))
}
