package asl

import (
	"errors"
	"time"

	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// # The operators of Choice rules
//
// There are 23 operators that compare with a constant, and 16 of them also with a
// path (…Path). Most are made by multiplication: a type (String, Numeric, Timestamp)
// and an order (Equals, LessThan, …). An operator is false, not an error, when either
// side is of another type (spec, "Choice State"), and false too for strings where
// Timestamp operators expect times. Only a path that names nothing is an error,
// except for IsPresent, whose question it answers.
//
// Strings are ordered by UTF-16 units, as Java's compareTo does. Numbers are compared
// exactly. Timestamps are compared as times, so that offsets and fractions of
// different lengths make no difference.
//
// StringMatches has patterns in which * stands for any characters, none included, and
// \ before a character takes its meaning away. matches remembers the last * only:
// when the text behind it fails to match, the star takes one more character and the
// rest is tried again. An earlier star need not be tried again, because whatever it
// could take instead, the later one can make up for. So a match takes no more than
// the product of the two lengths, and no recursion.

// Operator is a comparison operator of Choice rules (spec, "Data-test
// expressions").
type Operator struct {
	Name string
	// wants says what an operand must be.
	wants     string
	accepts   func(operand value.Value) bool
	takesPath bool
	holds     func(m *meter.Meter, variable, operand value.Value) bool
	// absent reports that the operator asks whether the variable is there.
	absent bool
}

// operators is the table of all comparison operators; …Path stands for those
// that take one.
var operators = map[string]*Operator{}

// The table is made of types and orders, which is shorter than 23 entries and cannot
// forget one.
func init() {
	orders := map[string]func(order int) bool{
		"Equals":            func(order int) bool { return order == 0 },
		"LessThan":          func(order int) bool { return order < 0 },
		"GreaterThan":       func(order int) bool { return order > 0 },
		"LessThanEquals":    func(order int) bool { return order <= 0 },
		"GreaterThanEquals": func(order int) bool { return order >= 0 },
	}
	kinds := []struct {
		prefix, wants string
		is            func(value.Value) bool
		compare       func(m *meter.Meter, a, b value.Value) int
	}{
		{"String", expected(value.String), isKind(value.String), func(m *meter.Meter, a, b value.Value) int { return compareJava(m, a.Str(), b.Str()) }},
		{"Numeric", expected(value.Number), isKind(value.Number), compareNumbers},
		{"Timestamp", notTimestamp, isTimestamp, compareTimestamps},
	}
	for _, kind := range kinds {
		for suffix, fits := range orders {
			name := kind.prefix + suffix
			operators[name] = &Operator{
				Name: name, wants: kind.wants, accepts: kind.is, takesPath: true,
				holds: func(m *meter.Meter, variable, operand value.Value) bool {
					return kind.is(variable) && kind.is(operand) && fits(kind.compare(m, variable, operand))
				},
			}
		}
	}
	isBool := isKind(value.Bool)
	operators["BooleanEquals"] = &Operator{
		Name: "BooleanEquals", wants: expected(value.Bool), accepts: isBool, takesPath: true,
		holds: func(_ *meter.Meter, variable, operand value.Value) bool {
			return isBool(variable) && isBool(operand) && variable.Bool() == operand.Bool()
		},
	}
	operators["StringMatches"] = &Operator{
		Name: "StringMatches", wants: expected(value.String), accepts: isKind(value.String),
		holds: func(m *meter.Meter, variable, operand value.Value) bool {
			return variable.Kind() == value.String && matches(m, operand.Str(), variable.Str())
		},
	}
	for name, is := range map[string]func(value.Value) bool{
		"IsNull": isKind(value.Null), "IsNumeric": isKind(value.Number), "IsString": isKind(value.String),
		"IsBoolean": isBool, "IsTimestamp": isTimestamp,
		"IsPresent": func(v value.Value) bool { return !v.IsUndefined() },
	} {
		operators[name] = &Operator{
			Name: name, wants: expected(value.Bool), accepts: isBool, absent: name == "IsPresent",
			holds: func(_ *meter.Meter, variable, operand value.Value) bool { return is(variable) == operand.Bool() },
		}
	}
}

// notTimestamp is AWS's message for text that is no timestamp.
const notTimestamp = "String does not match RFC3339 timestamp"

// isKind returns a test for values of a kind.
func isKind(k value.Kind) func(value.Value) bool {
	return func(v value.Value) bool { return v.Kind() == k }
}

// isTimestamp reports whether v is a string that is a timestamp.
func isTimestamp(v value.Value) bool {
	if v.Kind() != value.String {
		return false
	}
	_, ok := ParseTimestamp(v.Str())
	return ok
}

// compareNumbers orders two numbers; those with many digits take long, which is
// counted.
func compareNumbers(m *meter.Meter, a, b value.Value) int {
	m.Work(int64(a.Digits() + b.Digits()))
	return value.CompareNumbers(a, b)
}

// compareTimestamps orders two strings that are timestamps.
func compareTimestamps(_ *meter.Meter, a, b value.Value) int {
	at, _ := ParseTimestamp(a.Str())
	bt, _ := ParseTimestamp(b.Str())
	return at.Compare(bt)
}

// compareJava compares as Java does, by UTF-16 units.
func compareJava(m *meter.Meter, a, b string) int {
	m.Work(int64(len(a)+len(b)) / 32)
	return value.CompareUTF16(a, b)
}

// longestTimestamp is more than a timestamp with any fraction of use has.
const longestTimestamp = 100

// ParseTimestamp reads an RFC 3339 timestamp as the language has it: with a
// capital T, and a Z or an offset.
func ParseTimestamp(text string) (time.Time, bool) {
	if len(text) < len("2006-01-02T15:04Z") || len(text) > longestTimestamp || text[10] != 'T' {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		at, err = time.Parse("2006-01-02T15:04Z07:00", text) // Java does without seconds
	}
	return at, err == nil
}

// matchSteps is the number of steps of a match after which the meter counts them.
const matchSteps = 1 << 10

// matches reports whether all of text matches a pattern in which * stands for any
// characters and \ takes the meaning of the next one away.
func matches(m *meter.Meter, pattern, text string) bool {
	// star and mark are where the last * was and what it had taken.
	p, t, star, mark := 0, 0, -1, 0
	for steps := 1; t < len(text); steps++ {
		if steps%matchSteps == 0 {
			m.Work(matchSteps / 16)
		}
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
			continue
		case p < len(pattern) && literalAt(pattern, p) == text[t]:
			if pattern[p] == '\\' && p+1 < len(pattern) {
				p++
			}
			p++
			t++
			continue
		case star >= 0:
			mark++
			p, t = star+1, mark
			continue
		}
		return false
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// literalAt returns the byte that the text must have for the pattern at p, past a
// backslash.
func literalAt(pattern string, p int) byte {
	if pattern[p] == '\\' && p+1 < len(pattern) {
		return pattern[p+1]
	}
	return pattern[p]
}

// Holds reports whether all rules do.
func (r *And) Holds(s *query.Scope) (bool, error) {
	for _, rule := range r.Rules {
		if ok, err := rule.Holds(s); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// Holds reports whether one of the rules does.
func (r *Or) Holds(s *query.Scope) (bool, error) {
	for _, rule := range r.Rules {
		if ok, err := rule.Holds(s); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// Holds reports whether the rule does not.
func (r *Not) Holds(s *query.Scope) (bool, error) {
	ok, err := r.Rule.Holds(s)
	return !ok, err
}

// Holds compares. A path that names nothing is a States.Runtime in AWS's words.
func (c *Comparison) Holds(s *query.Scope) (bool, error) {
	variable, err := c.Variable.Eval(s)
	if stopped(err) {
		return false, err
	}
	if err != nil {
		if !c.Operator.absent {
			return false, invalidReference(c.Variable)
		}
		variable = value.Value{}
	}
	operand := c.Operand
	if c.Path != nil {
		if operand, err = c.Path.Eval(s); stopped(err) {
			return false, err
		} else if err != nil {
			return false, invalidReference(c.Path)
		}
	}
	return c.compares(s.Meter, variable, operand)
}

// compares applies the operator, with the limits of the meter as errors.
func (c *Comparison) compares(m *meter.Meter, variable, operand value.Value) (holds bool, err error) {
	defer m.Caught(&err)
	return c.Operator.holds(m, variable, operand), nil
}

// stopped reports whether a meter has ended an evaluation: that is no answer about
// the path.
func stopped(err error) bool {
	_, ok := errors.AsType[*meter.Stop](err)
	return ok
}

// invalidReference is the error of a path in a rule that names nothing.
func invalidReference(p *query.Path) error {
	return &query.Error{
		Name:  "States.Runtime",
		Cause: "Invalid path '" + p.String() + "': The choice state's condition path references an invalid value.",
	}
}
