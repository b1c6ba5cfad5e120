package asl

import (
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// Pass passes its input, or a fixed Result, to its output.
type Pass struct {
	Common
	// Result is undefined where the definition has none.
	Result value.Value
}

// Task has work done by a service integration, an activity or a function.
type Task struct {
	Common
	Resource string
	// Timeout and Heartbeat are nil where the definition has none.
	Timeout, Heartbeat *Integer
	// Credentials is nil where the definition has none.
	Credentials *query.Template
	Retry       []Retrier
	Catch       []Catcher
}

// Integer is a duration, or another whole number, given as a number, a path or
// an expression.
type Integer struct {
	Literal int64
	// Path is set for the …Path form, Expr for a JSONata string.
	Path *query.Path
	Expr *query.Template
}

func (s *Integer) literal() bool { return s.Path == nil && s.Expr == nil }

// Choice picks the state that follows by the first of its rules that holds.
type Choice struct {
	Common
	Choices []ChoiceRule
	// Default is "" where the definition has none.
	Default   string
	DefaultTo State // the state that Default names
}

// ChoiceRule is one entry of the field of that name: a rule and where it leads.
type ChoiceRule struct {
	Rule Rule
	// Condition is set instead of Rule for JSONata.
	Condition *query.Template
	Next      string
	To        State
	// Flow is the data flow when this rule is the one that holds: the
	// state's, with the rule's own Assign (and Output) in its place.
	Flow query.Flow
}

// Wait delays. Exactly one of its four forms is set.
type Wait struct {
	Common
	Seconds   *Integer
	Timestamp *Timestamp
}

// Timestamp is a time given as RFC 3339 text, a path or an expression.
type Timestamp struct {
	Literal string
	Path    *query.Path
	Expr    *query.Template
}

// Succeed ends its group of states with success.
type Succeed struct{ Common }

// Fail ends the execution with an error.
type Fail struct {
	Common
	// Error and Cause are nil where the definition has none.
	Error, Cause *Text
}

// Text is a string given literally, by a path or intrinsic function, or by an
// expression.
type Text struct {
	Literal string
	Path    *query.Path
	Expr    *query.Template
}

// Parallel runs its branches side by side and collects their outputs.
type Parallel struct {
	Common
	Branches []*States
	Retry    []Retrier
	Catch    []Catcher
}

// Map runs its processor for each item of an array.
type Map struct {
	Common
	Processor *States
	// ItemsPath is nil where the definition has none: the whole input.
	ItemsPath *query.Path
	// Items is set instead for JSONata.
	Items *query.Template
	// ItemSelector (or the legacy Parameters) is nil where the definition has none.
	ItemSelector *query.Template
	// Concurrency is nil where the definition has none; 0 is no limit.
	Concurrency *Integer
	Retry       []Retrier
	Catch       []Catcher
	// ToleratedCount and ToleratedPercentage are nil where the definition has none.
	ToleratedCount, ToleratedPercentage *Integer
	// Legacy tells that the processor stands in the field Iterator.
	Legacy bool
	// Distributed is set when ProcessorConfig says so; such a machine parses,
	// and [Runnable] refuses it.
	Distributed *Distributed
}

// Distributed holds what only a Distributed Map uses.
type Distributed struct {
	ExecutionType string // STANDARD or EXPRESS
	Label         string // "" where the definition has none
	// These are nil where the definition has none.
	ItemReader   *ItemReader
	ItemBatcher  *ItemBatcher
	ResultWriter *ResultWriter
}

// ItemReader says where the items come from, and how they are read. A text is ""
// where the definition has none.
type ItemReader struct {
	Resource string
	// Arguments is Parameters or Arguments; nil where the definition has none.
	Arguments                               *query.Template
	InputType, Transformation, ManifestType string
	CSVDelimiter, CSVHeaderLocation         string
	CSVHeaders                              []string
	// ItemsPointer and MaxItems are nil where the definition has none.
	ItemsPointer *Text
	MaxItems     *Integer
}

// ItemBatcher puts several items into one child execution. Each part is nil
// where the definition has none.
type ItemBatcher struct {
	MaxItems, MaxBytes *Integer
	BatchInput         *query.Template
}

// ResultWriter says where the results go, and what they look like. A text is ""
// where the definition has none.
type ResultWriter struct {
	Resource string
	// Arguments is Parameters or Arguments; nil where the definition has none.
	Arguments                  *query.Template
	Transformation, OutputType string
}

// Retrier says how often and when a failed state is tried again (spec,
// "Retrying after error").
type Retrier struct {
	ErrorEquals     []string
	IntervalSeconds int64   // 1 by default
	MaxAttempts     int64   // 3 by default; 0: never
	BackoffRate     float64 // 2.0 by default
	MaxDelaySeconds int64   // 0: no limit
	FullJitter      bool
}

// Catcher says where a failed state leads (spec, "Fallback states").
type Catcher struct {
	ErrorEquals []string
	Next        string
	To          State
	// Flow is the data flow of the Error Output: ResultPath, Assign, Output.
	Flow query.Flow
}
