package jsonpath

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/regex"
	"github.com/steppehq/steppe/value"
)

// # Conditions of filters
//
// [?(…)] is read by splitting: at || first, then at &&, then at the first operator of
// a list, in quotes too. Parentheses are taken off at the ends and mean nothing else.
// So what looks like an expression is alternatives of comparisons, which is all that
// Jayway 2.0.0 has.
//
// An operand is a path from the item (@) or from the document ($), a regular
// expression between slashes, or a literal; 'x', x and 1 are all text, and the kind
// of the other side decides what a text is read as: a number with Java's BigDecimal,
// a boolean by "true". Nulls come before everything, and the text null is one of
// them. Arrays and objects compare with nothing, except where both sides are the same
// path.
//
// A path without an operator asks whether it is there and not null; ! before it asks
// the opposite. Such a path is always applied to the item, even if it begins at $.

// maxNesting bounds filters inside of filters.
const maxNesting = 10

// test is the condition of a filter: alternatives of which one must hold, each
// a list of comparisons that all must. Jayway 2.0.0 does not look at
// parentheses (&& always binds closer than ||), and begins at the end.
type test struct {
	alternatives [][]comparison
	size         int // number of comparisons
}

// comparison is one condition: two operands and an operator, or one operand that must
// be there.
type comparison struct {
	left, right operand
	op          string // "" asks whether left is there
	negated     bool   // of ""
	// same reports that both sides are the same path: where they lead to one Java value,
	// even arrays and objects, which compare with nothing else, are equal.
	same bool
}

// operand is a path, a regular expression, or a literal. Literals are text
// whatever they look like; what they are compared with decides.
type operand struct {
	path    *Path
	rooted  bool // the path begins at the document rather than at the item
	pattern *regex.Regex
	literal string
}

// holds reports whether one of the alternatives holds for an item. Jayway tries the
// last one first, which decides whose error is seen.
func (t *test) holds(e *evaluation, item value.Value) (bool, error) {
	for _, all := range slices.Backward(t.alternatives) {
		holds := true
		for i := len(all) - 1; i >= 0 && holds; i-- {
			var err error
			if holds, err = all[i].holds(e, item); err != nil {
				return false, err
			}
		}
		if holds {
			return true, nil
		}
	}
	return false, nil
}

// resolve returns what an operand stands for; undefined when it is not there.
func (o *operand) resolve(e *evaluation, item value.Value) (value.Value, error) {
	if o.path == nil {
		return value.Str(o.literal), nil
	}
	wrapped := o.rooted && !e.java // items are held as Java values
	if o.rooted {
		item = e.root
	}
	v, err := o.path.evalDefinite(item, wrapped, e.java, true)
	if failed, ok := err.(*Error); ok && failed.NotFound { //nolint:errorlint // evalDefinite returns no other
		return value.Value{}, nil
	}
	return v, err
}

// holds reports whether the comparison holds for an item. An operand that is not
// there makes it false, whatever the operator.
func (c *comparison) holds(e *evaluation, item value.Value) (bool, error) {
	if c.op == "" {
		// A path from the document on is applied to the item, too.
		left, err := c.left.path.evalDefinite(item, false, e.java, true)
		if failed, ok := err.(*Error); ok && failed.NotFound { //nolint:errorlint // evalDefinite returns no other
			return c.negated, nil
		}
		there := left.Kind() != value.Null && c.left.path.hasAll(left)
		return there != c.negated, err
	}
	left, err := c.left.resolve(e, item)
	if err != nil || left.IsUndefined() {
		return false, err
	}
	right, err := c.right.resolve(e, item)
	if err != nil || right.IsUndefined() {
		return false, err
	}
	if c.op == "=~" {
		return c.match(e, left, right)
	}
	if c.left.pattern != nil || c.right.pattern != nil {
		return false, nil
	}
	// Long texts take longer, and numbers with many digits much longer.
	e.meter.Work(min(weight(left), weight(right))/32 + max(numeric(left, right), numeric(right, left))/4)
	if oneNull := (left.Kind() == value.Null) != (right.Kind() == value.Null); oneNull && c.op != "==" && c.op != "!=" {
		return false, nil
	}
	if !e.java && (tooLong(left) || tooLong(right)) && !isNull(left) && !isNull(right) { // nodes of such numbers are not unwrapped
		return false, nil
	}
	order, comparable, err := compare(left, right)
	if c.same && (c.left.rooted || e.java) {
		order, comparable, err = 0, true, nil
	}
	return comparable && c.orders(order), err
}

// orders reports whether the operator holds for an order of compare: negative, zero
// or positive.
func (c *comparison) orders(order int) bool {
	switch c.op {
	case "==":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// match applies =~, on whose either side the pattern may stand. Java must match
// the whole text.
func (c *comparison) match(e *evaluation, left, right value.Value) (bool, error) {
	pattern, text := c.left.pattern, right
	if pattern == nil {
		pattern, text = c.right.pattern, left
	}
	switch {
	case pattern == nil:
		return false, &Error{Message: "class java.lang.String cannot be cast to class java.util.regex.Pattern"}
	case text.Kind() == value.Null:
		return false, nil
	}
	return pattern.Match(e.meter, e.text(text)), nil
}

// text is what a pattern is held against.
func (e *evaluation) text(v value.Value) string {
	if v.Kind() == value.String {
		return v.Str()
	}
	size := 0
	text, _ := v.AppendWhile(nil, func(now int) bool {
		e.meter.Hold(2 * int64(now-size))
		e.meter.Work(1 + int64(now-size)/16)
		size = now
		return true
	})
	return string(text)
}

// weight is the length of a text.
func weight(v value.Value) int64 { return int64(len(v.Str())) }

// numeric is the length of what is read as a number where v is one: the other
// one's text, or its own digits.
func numeric(v, other value.Value) int64 {
	if v.Kind() != value.Number {
		return 0
	}
	return weight(other) + int64(v.Digits())
}

// compare orders two values as Jayway does: nulls, which the text null is one of,
// before all else; a number or a boolean with the text on the right by what the
// text says. Nothing else of different kinds compares, nor do arrays and objects.
func compare(left, right value.Value) (order int, comparable bool, err error) {
	if isNull(left) || isNull(right) {
		return boolOrder(!isNull(left), !isNull(right)), true, nil
	}
	switch k := right.Kind(); left.Kind() {
	case value.String:
		if k == value.String {
			return value.CompareUTF16(left.Str(), strings.ReplaceAll(right.Str(), `\'`, `'`)), true, nil
		}
	case value.Number:
		number := right
		if k == value.String {
			if number, err = decimal(right.Str()); err != nil {
				return 0, false, err
			}
			k = value.Number
		}
		if k == value.Number {
			return value.CompareNumbers(left, number), true, nil
		}
	case value.Bool:
		if k == value.String {
			return boolOrder(left.Bool(), strings.EqualFold(right.Str(), "true")), true, nil
		}
		return boolOrder(left.Bool(), right.Bool()), k == value.Bool, nil
	case value.Undefined, value.Null, value.Array, value.Object:
	}
	return 0, false, nil
}

// isNull reports whether Jayway takes v for null.
func isNull(v value.Value) bool { return v.Kind() == value.Null || v.Str() == "null" }

// boolOrder orders false before true.
func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// tooLong reports whether v is an integer beyond 64 bits, which Jayway does not
// compare.
func tooLong(v value.Value) bool {
	_, fits := v.Int64()
	return v.IsInteger() && !fits
}

// decimal reads text as Java's BigDecimal does. Its error is what Java says.
func decimal(text string) (value.Value, error) {
	for _, c := range text {
		if !strings.ContainsRune("+-.0123456789eE", c) {
			return value.Value{}, &Error{Message: "Character " + string(c) + " is neither a decimal digit number, decimal point, nor \"e\" notation exponential mark."}
		}
	}
	if _, err := strconv.ParseFloat(text, 64); err != nil && !errors.Is(err, strconv.ErrRange) || len(text) > 100 {
		return value.Value{}, &Error{Message: "null"}
	}
	return value.Num(strings.TrimPrefix(text, "+")), nil
}

// parseTest reads the condition of a filter. As in Jayway, operators are found in
// quotes, too.
func (p *parser) parseTest(text string) (test, string) {
	if p.depth >= maxNesting {
		return test{}, "filters are nested too deep"
	}
	var t test
	for alternative := range strings.SplitSeq(text, "||") {
		var all []comparison
		for part := range strings.SplitSeq(alternative, "&&") {
			c, reason := p.parseComparison(part)
			if reason != "" {
				return test{}, reason
			}
			all = append(all, c)
			t.size++
		}
		t.alternatives = append(t.alternatives, all)
	}
	return t, ""
}

// operators are in the order in which they are looked for.
var operators = []string{"==", ">=", "<=", "!=", "<", ">", "=~"}

// parseComparison reads one comparison. It returns the reason why there is none, ""
// when there is.
func (p *parser) parseComparison(text string) (comparison, string) {
	text = strings.TrimRight(strings.TrimLeft(strings.TrimSpace(text), "[?( "), ") ")
	var c comparison
	left, right := text, ""
	for _, op := range operators {
		if before, after, found := strings.Cut(text, op); found {
			c.op, left, right = op, strings.TrimSpace(before), strings.TrimSpace(after)
			break
		}
	}
	if rest, negated := strings.CutPrefix(left, "!"); negated && strings.HasPrefix(rest, "@") {
		c.negated, left = true, rest
	}
	var reason string
	if c.left, reason = p.parseOperand(left); reason != "" || c.op == "" {
		if c.op == "" && c.left.path == nil && reason == "" {
			reason = "the condition " + text + " is neither a path nor a comparison"
		}
		return c, reason
	}
	if strings.HasPrefix(right, "!@") {
		return c, "only what is not compared can be negated"
	}
	c.right, reason = p.parseOperand(right)
	c.same = c.left.path != nil && left == right
	return c, reason
}

// parseOperand reads one side of a comparison.
func (p *parser) parseOperand(text string) (operand, string) {
	switch {
	case strings.HasPrefix(text, "@") || strings.HasPrefix(text, "$"):
		path, err := compile(text, p.regexes, p.depth+1)
		if err != nil {
			return operand{}, err.Error()
		}
		if !path.definite {
			return operand{}, "the path " + text + " in a filter is not definite"
		}
		return operand{path: path, rooted: text[0] == '$'}, ""
	case text == "'" || text == "/":
		return operand{}, "the " + text + " is not closed"
	case strings.HasPrefix(text, "'") && strings.HasSuffix(text, "'"):
		return operand{literal: text[1 : len(text)-1]}, ""
	case strings.HasPrefix(text, "/") && (strings.HasSuffix(text, "/") || strings.HasSuffix(text, "/i")):
		return p.parsePattern(text)
	}
	return operand{literal: text}, ""
}

// parsePattern reads /pattern/ or /pattern/i.
func (p *parser) parsePattern(text string) (operand, string) {
	end := strings.LastIndexByte(text, '/')
	if end == 0 {
		return operand{}, "the regular expression " + text + " is not closed"
	}
	pattern := `^(?:` + text[1:end] + `)\z`
	if strings.HasSuffix(text, "i") {
		pattern = "(?i)" + pattern
	}
	compiled, err := p.regexes.Compile(pattern)
	if err != nil {
		return operand{}, "the regular expression " + text + " is not valid or not supported: " + err.Error()
	}
	return operand{pattern: compiled}, ""
}
