package asl

import (
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// The types below are the states of a parsed definition. Each comment shows what an
// author writes, with the fields of the type itself; all states have Type and
// Comment, and but for Succeed, Fail and Choice either Next or End. What a field
// becomes when the definition has none is said where it is not the zero value. Fields
// that shape data (InputPath, Parameters, Arguments, ResultSelector, ResultPath,
// OutputPath, Output, Assign) are in Common.Flow.
//
// A field that takes a number or a text in the definition may instead be given by a
// path, in JSONPath, or by an expression, in JSONata; [Integer], [Text] and
// [Timestamp] hold the three forms.

// Pass passes its input, or a fixed Result, to its output (spec, "Pass State").
//
//	{"Type":"Pass","Result":{"x":1},"ResultPath":"$.coords","Next":"B"}      Result
//	{"Type":"Pass","Output":"{% $states.input.a %}","End":true}              Flow.Output
//
// Result is not a template: a member "x.$" in it stays as it is. JSONata has no
// Result.
type Pass struct {
	Common
	// Result is undefined where the definition has none.
	Result value.Value
}

// Task has work done by a service integration, an activity or a function (spec, "Task
// State").
//
//	{
//	  "Type": "Task",
//	  "Resource": "arn:aws:states:::lambda:invoke",       Resource
//	  "Parameters": {"FunctionName":"f"},                 Flow.Parameters
//	  "Arguments": {"FunctionName":"{% $f %}"},           Flow.Parameters, JSONata
//	  "TimeoutSeconds": 60,                               Timeout.Literal
//	  "HeartbeatSecondsPath": "$.beat",                   Heartbeat.Path
//	  "Credentials": {"RoleArn.$":"$.role"},              Credentials
//	  "Retry": [{"ErrorEquals":["States.Timeout"]}],      Retry
//	  "Catch": [{"ErrorEquals":["States.ALL"],"Next":"B"}], Catch
//	  "End": true
//	}
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

// Integer is a whole number given as a number, a path or an expression: a duration in
// seconds, or a count.
//
//	"TimeoutSeconds": 60                                  Literal
//	"TimeoutSecondsPath": "$.limits.timeout"              Path
//	"TimeoutSeconds": "{% $states.input.timeout %}"       Expr
//
// A literal is within the bounds of its field. What a path or an expression returns
// is known only when the state is entered, and is checked then.
type Integer struct {
	Literal int64
	// Path is set for the …Path form, Expr for a JSONata string.
	Path *query.Path
	Expr *query.Template
}

// literal reports whether the number is known from the definition.
func (s *Integer) literal() bool { return s.Path == nil && s.Expr == nil }

// Choice picks the state that follows by the first of its rules that holds (spec,
// "Choice State").
//
//	{
//	  "Type": "Choice",
//	  "Choices": [                                        Choices, in this order
//	    {"Variable":"$.a","IsPresent":true,"Next":"B"},
//	    {"Condition":"{% $a > 1 %}","Next":"C"}           in JSONata
//	  ],
//	  "Default": "D"                                      Default
//	}
//
// Without a Default, no rule that holds is States.NoChoiceMatched.
type Choice struct {
	Common
	Choices []ChoiceRule
	// Default is "" where the definition has none.
	Default   string
	DefaultTo State // the state that Default names
}

// ChoiceRule is one entry of Choices: a rule and where it leads.
//
//	{
//	  "Variable": "$.n", "NumericGreaterThan": 3,         Rule, a *Comparison
//	  "Next": "B",                                        Next
//	  "Assign": {"n.$":"$.n"}                             Flow.Assign
//	}
//	{
//	  "Condition": "{% $states.input.n > 3 %}",           Condition
//	  "Output": "{% $states.input.n %}",                  Flow.Output
//	  "Next": "B"
//	}
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

// Wait delays (spec, "Wait State"). Exactly one of its four forms is there.
//
//	{"Type":"Wait","Seconds":10,"Next":"B"}                         Seconds
//	{"Type":"Wait","SecondsPath":"$.delay","Next":"B"}              Seconds.Path
//	{"Type":"Wait","Timestamp":"2026-11-28T12:00:00Z","Next":"B"}   Timestamp
//	{"Type":"Wait","TimestampPath":"$.at","Next":"B"}               Timestamp.Path
//
// In JSONata, Seconds and Timestamp may be expressions.
type Wait struct {
	Common
	Seconds   *Integer
	Timestamp *Timestamp
}

// Timestamp is a time given as RFC 3339 text, a path or an expression. A literal has
// been read once with [ParseTimestamp].
type Timestamp struct {
	Literal string
	Path    *query.Path
	Expr    *query.Template
}

// Succeed ends its group of states with success (spec, "Succeed State").
//
//	{"Type":"Succeed"}
type Succeed struct{ Common }

// Fail ends the execution with an error; inside of a Parallel or Map state, the
// branch or iteration (spec, "Fail State").
//
//	{"Type":"Fail","Error":"Invalid","Cause":"no id"}               Error.Literal
//	{"Type":"Fail","ErrorPath":"$.name","CausePath":"States.Format('no {}', $.what)"}   Error.Path
//	{"Type":"Fail","Error":"{% $name %}"}                           Error.Expr
type Fail struct {
	Common
	// Error and Cause are nil where the definition has none.
	Error, Cause *Text
}

// Text is a string given literally, by a path or intrinsic function, or by an
// expression; see [Fail].
type Text struct {
	Literal string
	Path    *query.Path
	Expr    *query.Template
}

// Parallel runs its branches side by side and collects their outputs in an array, in
// the order of the branches (spec, "Parallel State").
//
//	{
//	  "Type": "Parallel",
//	  "Branches": [                                       Branches
//	    {"StartAt":"A","States":{…}},
//	    {"StartAt":"B","States":{…}}
//	  ],
//	  "Retry": […], "Catch": […],                         Retry, Catch
//	  "End": true
//	}
//
// Each branch has the state's arguments as its input. Names of states are unique in
// the whole machine, not only in a branch.
type Parallel struct {
	Common
	Branches []*States
	Retry    []Retrier
	Catch    []Catcher
}

// Map runs its processor for each item of an array, or for each member of an object
// in JSONata (spec, "Map State").
//
//	{
//	  "Type": "Map",
//	  "ItemsPath": "$.orders",                            ItemsPath
//	  "Items": "{% $states.input.orders %}",              Items, JSONata
//	  "ItemSelector": {"id.$":"$$.Map.Item.Value.id"},    ItemSelector
//	  "ItemProcessor": {                                  Processor
//	    "ProcessorConfig": {"Mode":"INLINE"},             Distributed: nil
//	    "StartAt": "A", "States": {…}
//	  },
//	  "MaxConcurrency": 5,                                Concurrency
//	  "ToleratedFailurePercentage": 10,                   ToleratedPercentage
//	  "End": true
//	}
//
// Older definitions have Iterator for ItemProcessor (Legacy), and
// Parameters for ItemSelector.
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
	// Legacy reports that the processor is in the field Iterator.
	Legacy bool
	// Distributed is set when ProcessorConfig says so; such a machine parses,
	// and [Runnable] refuses it.
	Distributed *Distributed
}

// Distributed holds what only a Distributed Map uses, one whose ProcessorConfig is
// {"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"} (developer guide, "Using Map
// state in Distributed mode").
type Distributed struct {
	ExecutionType string // STANDARD or EXPRESS
	Label         string // "" where the definition has none
	// These are nil where the definition has none.
	ItemReader   *ItemReader
	ItemBatcher  *ItemBatcher
	ResultWriter *ResultWriter
}

// ItemReader says where the items come from, and how they are read (developer guide,
// "ItemReader (Map)"). A text is "" where the definition has none.
//
//	"ItemReader": {
//	  "Resource": "arn:aws:states:::s3:getObject",        Resource
//	  "ReaderConfig": {
//	    "InputType": "CSV", "CSVHeaderLocation": "GIVEN", InputType, CSVHeaderLocation
//	    "CSVHeaders": ["id","n"], "MaxItems": 100         CSVHeaders, MaxItems
//	  },
//	  "Parameters": {"Bucket":"b","Key":"k.csv"}          Arguments
//	}
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

// ItemBatcher puts several items into one child execution (developer guide,
// "ItemBatcher (Map)"). Each part is nil where the definition has none; one of the
// limits is always there.
//
//	"ItemBatcher": {
//	  "MaxItemsPerBatch": 100,                            MaxItems
//	  "MaxInputBytesPerBatch": 65536,                     MaxBytes
//	  "BatchInput": {"run.$":"$.run"}                     BatchInput
//	}
type ItemBatcher struct {
	MaxItems, MaxBytes *Integer
	BatchInput         *query.Template
}

// ResultWriter says where the results go, and what they look like (developer guide,
// "ResultWriter (Map)"). A text is "" where the definition has none.
//
//	"ResultWriter": {
//	  "Resource": "arn:aws:states:::s3:putObject",        Resource
//	  "WriterConfig": {"Transformation":"COMPACT","OutputType":"JSON"},
//	  "Parameters": {"Bucket":"b","Prefix":"p"}           Arguments
//	}
type ResultWriter struct {
	Resource string
	// Arguments is Parameters or Arguments; nil where the definition has none.
	Arguments                  *query.Template
	Transformation, OutputType string
}

// Retrier says how often and when a failed state is tried again (spec, "Retrying
// after error").
//
//	{
//	  "ErrorEquals": ["States.Timeout"],
//	  "IntervalSeconds": 2, "BackoffRate": 1.5,           2 s, 3 s, 4.5 s
//	  "MaxAttempts": 3, "MaxDelaySeconds": 60,
//	  "JitterStrategy": "FULL"                            FullJitter
//	}
type Retrier struct {
	ErrorEquals     []string
	IntervalSeconds int64   // 1 by default
	MaxAttempts     int64   // 3 by default; 0: never
	BackoffRate     float64 // 2.0 by default
	MaxDelaySeconds int64   // 0: no limit
	FullJitter      bool
}

// Catcher says where a failed state leads (spec, "Fallback states").
//
//	{"ErrorEquals":["States.ALL"],"ResultPath":"$.error","Next":"B"}
//	{"ErrorEquals":["States.ALL"],"Output":"{% $states.errorOutput.Cause %}","Next":"B"}
type Catcher struct {
	ErrorEquals []string
	Next        string
	To          State
	// Flow is the data flow of the Error Output: ResultPath, Assign, Output.
	Flow query.Flow
}
