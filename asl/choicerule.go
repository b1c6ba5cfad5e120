package asl

import (
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// Rule is a data-test expression of a Choice state in JSONPath (spec, "Choice
// State"): [*Comparison], [*And], [*Or], [*Not].
type Rule interface {
	// Holds evaluates the rule. The error is a [*query.Error].
	Holds(s *query.Scope) (bool, error)
	rule()
}

// And holds when all of its rules do, Or when one of them does, Not when its rule
// does not. They look at their rules in order, and no further than they need.
//
//	{"And":[{"Variable":"$.a","IsPresent":true},{"Variable":"$.a","NumericLessThan":5}]}
//	{"Or":[…]}
//	{"Not":{"Variable":"$.a","IsNull":true}}
type (
	And struct{ Rules []Rule }
	Or  struct{ Rules []Rule }
	Not struct{ Rule Rule }
)

// Comparison compares what Variable picks with a constant, or with what a path picks.
//
//	{"Variable":"$.n","NumericEquals":3}                  Operand
//	{"Variable":"$.n","NumericEqualsPath":"$.limit"}      Path
type Comparison struct {
	Variable *query.Path
	Operator *Operator
	// Operand is the constant, undefined when Path is set.
	Operand value.Value
	Path    *query.Path
}

func (*And) rule()        {}
func (*Or) rule()         {}
func (*Not) rule()        {}
func (*Comparison) rule() {}
