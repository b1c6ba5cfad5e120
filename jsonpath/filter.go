package jsonpath

import (
	"math/big"
	"regexp"
	"strings"

	"github.com/steppehq/steppe/value"
)

// maxNesting bounds filters inside of filters.
const maxNesting = 10

// test is the condition of a filter: alternatives of which one must hold, each
// a list of comparisons that all must.
//
// Jayway 2.0.0 does not look at parentheses: && always binds closer than ||.
type test struct{ alternatives [][]comparison }

type comparison struct {
	left, right operand
	op          string // "" asks whether left is there
	negated     bool   // of ""
	pattern     *regexp.Regexp
}

// operand is a path, or a literal. Literals are text whatever they look like;
// what they are compared with decides.
type operand struct {
	path    *Path
	rooted  bool // the path begins at the document rather than at the item
	literal string
}

func (t *test) holds(root, item value.Value) (bool, error) {
	for _, all := range t.alternatives {
		holds := true
		for i := range all {
			ok, err := all[i].holds(root, item)
			if err != nil {
				return false, err
			}
			if !ok {
				holds = false
				break
			}
		}
		if holds {
			return true, nil
		}
	}
	return false, nil
}

// resolve gives what an operand stands for; undefined when it is not there.
func (o *operand) resolve(root, item value.Value) (value.Value, error) {
	switch {
	case o.path != nil:
	case o.literal == "null":
		return value.NullValue, nil
	default:
		return value.Str(o.literal), nil
	}
	if o.rooted {
		item = root
	}
	v, err := o.path.Eval(item)
	if failed, ok := err.(*Error); ok && failed.NotFound { //nolint:errorlint // Eval gives no other
		return value.Value{}, nil
	}
	return v, err
}

func (c *comparison) holds(root, item value.Value) (bool, error) {
	left, err := c.left.resolve(root, item)
	if err != nil {
		return false, err
	}
	if c.op == "" {
		there := !left.IsUndefined() && left.Kind() != value.Null
		return there != c.negated, nil
	}
	if left.IsUndefined() || c.negated { // Jayway makes nothing of !(a == b)
		return false, nil
	}
	if c.op == "=~" {
		return c.match(left)
	}
	right, err := c.right.resolve(root, item)
	if err != nil || right.IsUndefined() {
		return false, err
	}
	switch c.op {
	case "==", "!=":
		equal, comparable, err := equals(left, right)
		return comparable && equal == (c.op == "=="), err
	}
	order, comparable, err := compare(left, right)
	if err != nil || !comparable {
		return false, err
	}
	switch c.op {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	}
	return order >= 0, nil
}

func (c *comparison) match(left value.Value) (bool, error) {
	if c.pattern == nil {
		return false, &Error{Message: "class java.lang.String cannot be cast to class java.util.regex.Pattern"}
	}
	if left.Kind() == value.Null {
		return false, nil
	}
	return c.pattern.MatchString(shown(left, false)), nil
}

// equals compares as Jayway does: a number or a boolean with text by what the
// text says. Arrays and objects compare with nothing.
func equals(left, right value.Value) (equal, comparable bool, err error) {
	switch left.Kind() {
	case value.Null:
		return right.Kind() == value.Null, true, nil
	case value.Number:
		if right.Kind() != value.Number && right.Kind() != value.String {
			return false, true, nil
		}
		order, _, err := compare(left, right)
		return order == 0, true, err
	case value.String:
		return right.Kind() == value.String && left.Str() == right.Str(), true, nil
	case value.Bool:
		if right.Kind() == value.String {
			return left.Bool() == strings.EqualFold(right.Str(), "true"), true, nil
		}
		return right.Kind() == value.Bool && left.Bool() == right.Bool(), true, nil
	case value.Undefined, value.Array, value.Object:
	}
	return false, false, nil
}

func compare(left, right value.Value) (order int, comparable bool, err error) {
	if tooLong(left) || tooLong(right) {
		return 0, false, nil
	}
	switch {
	case left.Kind() == value.Number && right.Kind() == value.Number:
		return value.CompareNumbers(left, right), true, nil
	case left.Kind() == value.Number && right.Kind() == value.String:
		number, ok := decimal(right.Str())
		if !ok {
			return 0, false, numberFormat(right.Str())
		}
		return value.CompareNumbers(left, number), true, nil
	case left.Kind() == value.String && right.Kind() == value.String:
		return strings.Compare(left.Str(), right.Str()), true, nil
	}
	return 0, false, nil
}

// tooLong reports whether v is an integer beyond 64 bits, which Jayway does not
// compare.
func tooLong(v value.Value) bool {
	_, fits := v.Int64()
	return v.IsInteger() && !fits
}

// decimal reads text as Java's BigDecimal does.
func decimal(text string) (value.Value, bool) {
	if text == "" || len(text) > 100 || strings.ContainsAny(text, "_xXpPbBoOiInN") {
		return value.Value{}, false
	}
	if _, _, err := big.ParseFloat(text, 10, 64, big.ToNearestEven); err != nil {
		return value.Value{}, false
	}
	return value.Num(strings.TrimPrefix(text, "+")), true
}

// numberFormat is what Java says of text that is no number.
func numberFormat(text string) error {
	for _, c := range text {
		if !strings.ContainsRune("+-.0123456789eE", c) {
			return &Error{Message: "Character " + string(c) + " is neither a decimal digit number, decimal point, nor \"e\" notation exponential mark."}
		}
	}
	return &Error{Message: "null"}
}

// parseTest reads the condition of a filter, with its parentheses.
func parseTest(text string, depth int) (test, string) {
	if depth > maxNesting {
		return test{}, "filters are nested too deep"
	}
	var t test
	for _, alternative := range split(text, "||") {
		var all []comparison
		for _, part := range split(alternative, "&&") {
			c, reason := parseComparison(part, depth)
			if reason != "" {
				return test{}, reason
			}
			all = append(all, c)
		}
		t.alternatives = append(t.alternatives, all)
	}
	return t, ""
}

// split cuts text at an operator that stands outside of quotes, regular
// expressions and brackets.
func split(text, operator string) []string {
	var parts []string
	start := 0
	scanOutside(text, func(i int) bool {
		if i >= start && strings.HasPrefix(text[i:], operator) {
			parts = append(parts, text[start:i])
			start = i + len(operator)
		}
		return true
	})
	return append(parts, text[start:])
}

// scanOutside calls visit with each position outside of quotes, regular
// expressions and brackets, until it says no.
func scanOutside(text string, visit func(i int) bool) {
	quote, brackets := byte(0), 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0:
			if c == quote && text[i-1] != '\\' {
				quote = 0
			}
			continue
		case c == '\'' || c == '/':
			quote = c
			continue
		case c == '[':
			brackets++
		case c == ']':
			brackets--
		}
		if brackets == 0 && !visit(i) {
			return
		}
	}
}

var operators = []string{"==", "!=", "<=", ">=", "=~", "<", ">"}

func parseComparison(text string, depth int) (comparison, string) {
	text = strings.Trim(text, "() \t")
	if text == "" {
		return comparison{}, "a condition is missing"
	}
	var c comparison
	cut := -1
	scanOutside(text, func(i int) bool {
		for _, op := range operators {
			if strings.HasPrefix(text[i:], op) && !(i == 0 && op == "!=") {
				c.op, cut = op, i
				return false
			}
		}
		return true
	})
	left, right := text, ""
	if cut >= 0 {
		left, right = strings.TrimSpace(text[:cut]), strings.TrimSpace(text[cut+len(c.op):])
	}
	if rest, ok := strings.CutPrefix(left, "!"); ok {
		c.negated, left = true, strings.Trim(rest, "( ")
	}
	var reason string
	if c.left, reason = parseOperand(left, depth); reason != "" {
		return c, reason
	}
	if c.op == "" && c.left.path == nil {
		return c, "the condition " + text + " is neither a path nor a comparison"
	}
	if c.op == "=~" {
		return c, c.compilePattern(right)
	}
	c.right, reason = parseOperand(right, depth)
	return c, reason
}

// compilePattern reads /pattern/flags. Java must match the whole text. What is
// no pattern fails when it is used, as in Jayway.
func (c *comparison) compilePattern(text string) string {
	end := strings.LastIndexByte(text, '/')
	if !strings.HasPrefix(text, "/") || end == 0 {
		return ""
	}
	pattern := "^(?:" + text[1:end] + ")$"
	if strings.Contains(text[end:], "i") {
		pattern = "(?i)" + pattern
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return "the regular expression " + text + " is not valid or not supported: " + err.Error()
	}
	c.pattern = compiled
	return ""
}

func parseOperand(text string, depth int) (operand, string) {
	if strings.HasPrefix(text, "@") || strings.HasPrefix(text, "$") {
		path, err := compile(text, depth)
		if err != nil {
			return operand{}, err.Error()
		}
		if !path.definite {
			return operand{}, "the path " + text + " in a filter is not definite"
		}
		return operand{path: path, rooted: text[0] == '$'}, ""
	}
	if len(text) >= 2 && text[0] == '\'' && text[len(text)-1] == '\'' {
		text = text[1 : len(text)-1]
	}
	return operand{literal: text}, ""
}
