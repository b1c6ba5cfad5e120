package asl

import (
	"errors"
	"time"

	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// Operator is a comparison operator of Choice rules (spec, "Data-test
// expressions").
type Operator struct {
	Name string
	// wants says what an operand must be.
	wants     string
	accepts   func(operand value.Value) bool
	takesPath bool
	holds     func(m *meter.Meter, variable, operand value.Value) bool
	// absent tells that the operator asks whether the variable is there.
	absent bool
}

// operators is the table of all comparison operators; …Path stands for those
// that take one.
var operators = map[string]*Operator{}

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

const notTimestamp = "String does not match RFC3339 timestamp"

func isKind(k value.Kind) func(value.Value) bool {
	return func(v value.Value) bool { return v.Kind() == k }
}

func isTimestamp(v value.Value) bool {
	if v.Kind() != value.String {
		return false
	}
	_, ok := ParseTimestamp(v.Str())
	return ok
}

func compareNumbers(m *meter.Meter, a, b value.Value) int {
	m.Work(int64(a.Digits() + b.Digits()))
	return value.CompareNumbers(a, b)
}

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

// matchSteps is after how many characters of a match the meter is told.
const matchSteps = 1 << 10

// matches compares text with a pattern in which * stands for any characters
// and \ takes the meaning of the next one away.
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

// Holds compares.
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

func (c *Comparison) compares(m *meter.Meter, variable, operand value.Value) (holds bool, err error) {
	defer m.Caught(&err)
	return c.Operator.holds(m, variable, operand), nil
}

// stopped reports whether a meter has ended an evaluation.
func stopped(err error) bool {
	_, ok := errors.AsType[*meter.Stop](err)
	return ok
}

func invalidReference(p *query.Path) error {
	return &query.Error{
		Name:  "States.Runtime",
		Cause: "Invalid path '" + p.String() + "': The choice state's condition path references an invalid value.",
	}
}
