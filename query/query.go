// Package query is how the other packages use the query languages: paths, payload
// templates, intrinsic functions and JSONata, compiled once and evaluated on a scope, so that other packages need not know which language a state has.
//
//	var c query.Compiler // for all expressions of one definition
//	t, err := c.Template(v) // {"id.$":"$.order.id","by.$":"States.Format('{}!', $.name)"}
//	if err != nil {
//		return err // a *query.TemplateError
//	}
//	scope := &query.Scope{Input: input}
//	made, err := t.Eval(scope)
//	if failed, ok := errors.AsType[*query.Error](err); ok {
//		fmt.Println(failed.Name, failed.Cause) // States.Runtime, The JSONPath '$.order.id' …
//	}
//
// What a state does to its data is a [Flow] of three stages, whichever language it is
// in: the arguments it works on, the output it makes of its result, the variables it
// assigns.
//
// An evaluation that fails returns an [*Error]: an Error Name and a cause in AWS's
// words, which unwraps to the error of the language. One that reaches a limit of the
// scope's meter returns a [*meter.Stop], unless JSONata has words of its own for it.
//
// Stability: promised after 1.0.
package query

import (
	"github.com/steppehq/steppe/jsonata"
	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/regex"
	"github.com/steppehq/steppe/value"
)

// Language is a query language.
type Language uint8

// The query languages.
const (
	JSONPath Language = iota
	JSONata
)

// String returns the language's name in a definition.
func (l Language) String() string {
	if l == JSONata {
		return "JSONata"
	}
	return "JSONPath"
}

// Variables looks up the variables that a state can see, by their names without $.
type Variables interface {
	Lookup(name string) (value.Value, bool)
}

// Scope is all that an expression may see. It is for one goroutine, and keeps memory
// for the next evaluation. Everything that could differ between two runs (time,
// random numbers, the Context Object) is handed in here, so that a replay of an
// execution evaluates to the same values.
type Scope struct {
	// Input is what $ stands for.
	Input value.Value
	// Context builds the Context Object when it is first asked for.
	Context func() value.Value
	// Vars may be nil.
	Vars    Variables
	Entropy *Entropy
	// Millis is the time, in milliseconds since 1970; Result and ErrorOutput
	// are members of $states, undefined where it has none. JSONata has these.
	Millis              int64
	Result, ErrorOutput value.Value
	// Meter counts what evaluations do and build; nil for nothing.
	Meter *meter.Meter

	jsonata *jsonata.Env // what expressions are evaluated in, one after the other
}

// Compiler compiles the expressions of one definition, whose regular expressions
// are shared, and bounded together, as the parts of JSONata are.
type Compiler struct {
	regexes regex.Set
	parts   jsonata.Parts
}

// Weight is about how many bytes of memory the regular expressions and the trees of
// JSONata hold.
func (c *Compiler) Weight() int64 { return c.regexes.Weight() + c.parts.Weight() }

// Error is an evaluation that failed.
type Error struct {
	// Name is an Error Name; Cause is what the execution's history shows.
	Name, Cause string
	// Location is the field, for JSONata only.
	Location string
	// Entered reports that the state had been entered when it failed: the event
	// of the failure follows the one of the entry.
	Entered bool

	err error // what failed underneath
}

// Error returns name and cause.
func (e *Error) Error() string { return e.Name + ": " + e.Cause }

// Unwrap returns the error underneath: a [*jsonata.Error], with its code and its
// position in the expression, [jsonata.ErrFunction], or an error of package
// jsonpath. It is nil where the state itself is at fault.
func (e *Error) Unwrap() error { return e.err }

// runtimeError makes a States.Runtime error of what failed underneath, nil for
// nothing.
func runtimeError(cause string, err error) error {
	return &Error{Name: "States.Runtime", Cause: cause, err: err}
}

// Entropy is a source of random numbers that returns the same ones for the same seed
// (splitmix64: Steele, Lea and Flood, 2014).
type Entropy struct{ state uint64 }

// NewEntropy returns a source that begins at a seed.
func NewEntropy(seed uint64) *Entropy { return &Entropy{seed} }

// Uint64 returns the next number.
func (e *Entropy) Uint64() uint64 {
	e.state += 0x9E3779B97F4A7C15
	z := e.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// Float64 returns a number from 0 up to but not including 1.
func (e *Entropy) Float64() float64 { return float64(e.Uint64()>>11) / (1 << 53) }
