package asl

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/value"
)

// Severity decides whether a diagnostic keeps a definition from being used.
type Severity string

// The severities.
const (
	SeverityError   Severity = "ERROR"
	SeverityWarning Severity = "WARNING"
)

// Code names a kind of diagnostic, in AWS's words.
//
// Of the codes that ValidateStateMachineDefinition documents these are never
// given: those about the state machine's name (STATE_MACHINE_NAME_…), which the
// operation is not given; MISSING_DESCRIPTION, since a request without a
// definition is refused before; and INVALID_RESOURCE, in whose place the
// service was seen to report SCHEMA_VALIDATION_FAILED.
type Code string

// The codes of errors.
const (
	// InvalidJSONDescription: the definition is not JSON.
	//
	// Example: {"StartAt": A}
	InvalidJSONDescription Code = "INVALID_JSON_DESCRIPTION"
	// SchemaValidationFailed: a field is missing, not known, or holds what it
	// cannot.
	//
	// Example: {"StartAt":"A"}
	SchemaValidationFailed Code = "SCHEMA_VALIDATION_FAILED"
	// MissingTransitionTarget: a transition leads to a state that is not there,
	// or no way leads to a state.
	//
	// Example: {"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"}}}
	MissingTransitionTarget Code = "MISSING_TRANSITION_TARGET"
	// MissingEndState: no state ends the machine.
	//
	// Example: {"StartAt":"A","States":{"A":{"Type":"Pass","Next":"A"}}}
	MissingEndState Code = "MISSING_END_STATE"
	// InvalidStateName: a state's name is empty or longer than 80 characters.
	//
	// Example: {"StartAt":"","States":{"":{"Type":"Succeed"}}}
	InvalidStateName Code = "INVALID_STATE_NAME"
	// DuplicateStateName: two states of a machine have one name.
	//
	// Example: {"StartAt":"A","States":{"A":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}]}}}
	DuplicateStateName Code = "DUPLICATE_STATE_NAME"
	// InvalidLabelName: a Map's Label is empty, longer than 40 characters, or has
	// characters that names of resources cannot have.
	//
	// Example: {"StartAt":"A","States":{"A":{"Type":"Map","Label":"a b","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}},"End":true}}}
	InvalidLabelName Code = "INVALID_LABEL_NAME"
	// DuplicateLabelName: two Maps of a machine have one Label.
	//
	// Example: {"StartAt":"A","States":{"A":{"Type":"Map","Label":"x","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}},"Next":"C"},"C":{"Type":"Map","Label":"x","ItemProcessor":{"StartAt":"D","States":{"D":{"Type":"Succeed"}}},"End":true}}}
	DuplicateLabelName Code = "DUPLICATE_LABEL_NAME"
	// InvalidVariableName: Assign has a name that no variable can have.
	//
	// Example: {"StartAt":"A","States":{"A":{"Type":"Pass","Assign":{"1x":1},"End":true}}}
	InvalidVariableName Code = "INVALID_VARIABLE_NAME"
	// ReservedVariableName: Assign has the name $states.
	//
	// Example: {"StartAt":"A","States":{"A":{"Type":"Pass","Assign":{"states":1},"End":true}}}
	ReservedVariableName Code = "RESERVED_VARIABLE_NAME"
	// TooDeeplyNested: Parallel and Map states are nested beyond any use.
	TooDeeplyNested Code = "TOO_DEEPLY_NESTED"
	// InvalidJSONata: an expression cannot be compiled.
	//
	// Example: {"StartAt":"A","QueryLanguage":"JSONata","States":{"A":{"Type":"Pass","Output":"{% 1 + %}","End":true}}}
	InvalidJSONata Code = "INVALID_JSONATA_EXPRESSION"
	// UnsupportedJSONata: an expression refers to what is not there.
	//
	// Example: {"StartAt":"A","QueryLanguage":"JSONata","States":{"A":{"Type":"Pass","Output":"{% phone %}","End":true}}}
	UnsupportedJSONata Code = "UNSUPPORTED_JSONATA_EXPRESSION"
	// NotPerformed: it is valid on AWS, and this server does not perform it. AWS has
	// no such code. It is a warning where a definition is only examined.
	NotPerformed Code = "NOT_PERFORMED"
)

// The codes of warnings.
const (
	// NoDollar: a member looks like a path or an intrinsic function, but its
	// name does not end in ".$".
	//
	// Example: {"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"x":"$.a"},"End":true}}}
	NoDollar Code = "NO_DOLLAR"
	// NoPath: a field looks like a path, but its name does not end in "Path".
	//
	// Example: {"StartAt":"A","States":{"A":{"Type":"Fail","Error":"$.a"}}}
	NoPath Code = "NO_PATH"
	// PassResultIsStatic: the Result of a Pass state looks like a path.
	//
	// Example: {"StartAt":"A","States":{"A":{"Type":"Pass","Result":"$.a","End":true}}}
	PassResultIsStatic Code = "PASS_RESULT_IS_STATIC"
)

// The codes of the warnings of [ValidateOptions].Lint, which AWS does not have.
const (
	// DuplicateMember: a name occurs in an object more than once.
	DuplicateMember Code = "DUPLICATE_MEMBER"
	// NoExpression: a text looks like an expression, and is not evaluated.
	NoExpression Code = "NO_EXPRESSION"
	// UnknownErrorName: a reserved Error Name that is none.
	UnknownErrorName Code = "UNKNOWN_ERROR_NAME"
	// UnknownFunction: a function that neither JSONata nor Step Functions has.
	UnknownFunction Code = "UNKNOWN_FUNCTION"
	// UnknownParameter: a parameter that an action does not have.
	UnknownParameter Code = "UNKNOWN_PARAMETER"
	// UnknownVariable: a variable that no state assigns, or a member that $states
	// does not have.
	UnknownVariable Code = "UNKNOWN_VARIABLE"
)

// Diagnostic is something to be said about a definition.
type Diagnostic struct {
	Severity Severity
	Code     Code
	Message  string
	// Location is AWS's form of the place: "/States/A/Next". "" is the whole.
	Location string
	// Path leads to the place in the document, for [value.Locate]; where a field
	// is not supported it leads to the field, the Location to what has it.
	Path []string
	// Help says what to do about it, in words that AWS does not have; "" where there
	// are none.
	Help string
}

// String returns code, message and location as CreateStateMachine does.
func (d Diagnostic) String() string {
	place := d.Location
	if place == "" {
		place = "null" // as the service writes it
	}
	return string(d.Code) + ": " + d.Message + " at " + place
}

// location writes a path as AWS does: indexes in brackets.
func location(path []string) string {
	if len(path) == 0 {
		return "/"
	}
	var b strings.Builder
	for _, part := range path {
		if b.Len() > maxMessage {
			b.WriteString("…")
			break
		}
		part = shortened(part)
		if _, err := strconv.Atoi(part); err == nil {
			b.WriteString("[" + part + "]")
			continue
		}
		b.WriteString("/" + part)
	}
	return b.String()
}

// InvalidDefinition is the message of the exception InvalidDefinition, "" when
// no diagnostic is an error.
func InvalidDefinition(diagnostics []Diagnostic) string {
	var errors []string
	more := 0
	for _, d := range diagnostics {
		switch {
		case d.Severity != SeverityError:
		case len(errors) > maxDiagnostics: // the last one says how many more there were
			more++
		default:
			errors = append(errors, d.String())
		}
	}
	if more > 0 {
		errors = append(errors, fmt.Sprintf("%d more errors are not shown", more))
	}
	if len(errors) == 0 {
		return ""
	}
	return "Invalid State Machine Definition: '" + strings.Join(errors, ", ") + "'"
}

// ValidateOptions are the arguments of ValidateStateMachineDefinition.
type ValidateOptions struct {
	Express    bool
	Warnings   bool // report warnings too
	MaxResults int  // 0: 100
	// Offer is what there is for the tasks: what AWS does not have is an error, what
	// is not performed a warning.
	Offer Offer
	// Lint reports, as warnings, also what AWS does not look for: names that nothing
	// has, as far as can be known without running it.
	Lint bool
}

// Report is the answer of ValidateStateMachineDefinition.
type Report struct {
	Failed      bool
	Diagnostics []Diagnostic
	Truncated   bool
}

// Validate examines a definition.
func Validate(definition []byte, opts ValidateOptions) Report {
	var r Report
	m, diagnostics, wrong := parse(definition)
	if m != nil && opts.Express && !wrong {
		diagnostics = append(diagnostics, ExpressUnsupported(m)...)
	}
	if m != nil && !wrong {
		diagnostics = append(diagnostics, unrecognized(m, opts.Offer)...)
	}
	if m != nil && opts.Warnings {
		diagnostics = append(diagnostics, notPerformed(m, opts.Express, opts.Offer, SeverityWarning)...)
		if opts.Lint {
			diagnostics = append(diagnostics, lint(m, definition)...)
		}
	}
	limit := opts.MaxResults
	if limit == 0 {
		limit = 100
	}
	for _, d := range diagnostics {
		r.Failed = r.Failed || d.Severity == SeverityError
		switch {
		case d.Severity == SeverityWarning && !opts.Warnings:
		case len(r.Diagnostics) == limit:
			r.Truncated = true
		default:
			r.Diagnostics = append(r.Diagnostics, d)
		}
	}
	return r
}

// Locate returns the place of a diagnostic in the JSON text of the definition.
func (d Diagnostic) Locate(definition []byte) value.Position {
	if d.Code == InvalidJSONDescription {
		if _, err := value.Decode(definition); err != nil {
			if syntax, ok := err.(*value.SyntaxError); ok { //nolint:errorlint // Decode returns no other
				return value.PositionAt(definition, int(syntax.Offset))
			}
		}
	}
	return value.Locate(definition, d.Path)
}
