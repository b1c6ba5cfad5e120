package query

import (
	"errors"
	"fmt"
	"strings"

	"github.com/steppehq/steppe/jsonpath"
	"github.com/steppehq/steppe/value"
)

// # Intrinsic functions
//
// An intrinsic function stands in a payload template instead of a path: "x.$":
// "States.Format('{} of {}', $.name, States.ArrayLength($.list))" (spec, "Intrinsic
// Functions"; developer guide, "Intrinsics for JSONPath states"). The grammar is small enough for recursive descent:
//
//	call      States.Name( argument , … )
//	argument  'text'  number  true  false  null  $path  call
//
// In a text ' { } and \ are escaped by \. The escapes of braces are kept until
// States.Format has looked at them, since \{} is no place for an argument; every
// other function sees the text without them.
//
// A path argument ends at the comma or parenthesis that is outside of its own
// brackets, filters and quotes. Its value is looked up as Jayway does over Java
// values, where an index beyond the end is an error, not null: so the messages of the
// service show.
//
// The number of arguments is checked when the function is applied, not when the
// definition is created, for AWS creates such a state machine too.

// maxCallDepth is how deep intrinsic functions may be nested (AWS's limit).
const maxCallDepth = 10

// functionCall is an intrinsic function applied to arguments.
type functionCall struct {
	name string
	fn   *intrinsic
	args []argument
}

// argument is a literal, a path, or a call.
type argument struct {
	literal value.Value // undefined when it is none
	// raw is a literal string with its escapes of braces, which
	// States.Format looks at.
	raw  string
	path *Path
	text string
}

// callParser reads one call; pos is the next byte.
type callParser struct {
	compiler *Compiler
	text     string
	pos      int
}

// parseCall reads an intrinsic function: States.Name(argument, …).
func (c *Compiler) parseCall(text string) (*functionCall, error) {
	p := &callParser{compiler: c, text: text}
	called, err := p.call(1)
	if err != nil {
		return nil, err
	}
	p.blanks()
	if p.pos != len(text) {
		return nil, fmt.Errorf("unexpected %q after the intrinsic function", text[p.pos:])
	}
	return called, nil
}

// blanks passes over white space.
func (p *callParser) blanks() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// peek returns the next byte without reading it, 0 at the end.
func (p *callParser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

// call reads a call that stands inside of depth-1 others.
func (p *callParser) call(depth int) (*functionCall, error) {
	if depth > maxCallDepth {
		return nil, fmt.Errorf("intrinsic functions are nested deeper than %d", maxCallDepth)
	}
	open := strings.IndexByte(p.text[p.pos:], '(')
	if open < 0 {
		return nil, errors.New("an intrinsic function needs parentheses")
	}
	name := strings.TrimSpace(p.text[p.pos : p.pos+open])
	fn, ok := intrinsics[name]
	if !ok {
		return nil, fmt.Errorf("the intrinsic function %q is not known", name)
	}
	c := &functionCall{name: name, fn: fn}
	p.pos += open + 1
	for {
		p.blanks()
		if p.peek() == ')' && len(c.args) == 0 {
			break
		}
		arg, err := p.argument(depth)
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, arg)
		p.blanks()
		if p.peek() != ',' {
			break
		}
		p.pos++
	}
	if p.peek() != ')' {
		return nil, fmt.Errorf("a ) is missing at position %d of the intrinsic function", p.pos)
	}
	p.pos++
	return c, nil // a wrong number of arguments fails when it is applied, as in AWS
}

// argument reads an argument; the byte it begins with says which kind.
func (p *callParser) argument(depth int) (argument, error) {
	start := p.pos
	var arg argument
	var err error
	switch c := p.peek(); {
	case c == '\'':
		arg.raw, err = p.quoted()
		arg.literal = value.Str(unescapeBraces(arg.raw))
	case c == '$':
		arg.path, err = p.path()
	case c == '-' || c >= '0' && c <= '9':
		arg.literal, err = p.number()
	case strings.HasPrefix(p.text[p.pos:], "States."):
		var inner *functionCall
		if inner, err = p.call(depth + 1); err == nil {
			arg.path = &Path{text: p.text[start:p.pos], call: inner}
		}
	default:
		arg.literal, err = p.word()
	}
	arg.text = strings.TrimSpace(p.text[start:p.pos])
	return arg, err
}

// quoted reads 'text'. The escapes are \' \\ \{ \}; those of braces stay.
func (p *callParser) quoted() (string, error) {
	var b strings.Builder
	for p.pos++; p.pos < len(p.text); p.pos++ {
		c := p.text[p.pos]
		if c == '\'' {
			p.pos++
			return b.String(), nil
		}
		if c != '\\' {
			b.WriteByte(c)
			continue
		}
		p.pos++
		switch e := p.peek(); e {
		case '\'':
			b.WriteByte(e)
		case '{', '}', '\\':
			b.WriteByte('\\')
			b.WriteByte(e)
		default:
			return "", fmt.Errorf("\\%c is no escape; there are \\' \\{ \\} \\\\", e)
		}
	}
	return "", errors.New("a ' is missing")
}

// unescapeBraces resolves the escapes that quoted leaves.
func unescapeBraces(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\{`, `{`, `\}`, `}`, `\\`, `\`).Replace(s)
}

// path reads a path up to the comma or parenthesis that ends the argument.
func (p *callParser) path() (*Path, error) {
	start := p.pos
	depth, quote := 0, false
	for ; p.pos < len(p.text); p.pos++ {
		c := p.text[p.pos]
		switch {
		case c == '\'' && p.text[p.pos-1] != '\\': // filters have the escape \'
			quote = !quote
		case quote:
		case c == '(' || c == '[':
			depth++
		case depth > 0 && (c == ')' || c == ']'):
			depth--
		case depth == 0 && (c == ',' || c == ')'):
			return p.compiler.Path(strings.TrimSpace(p.text[start:p.pos]))
		}
	}
	return nil, errors.New("a ) is missing")
}

// number reads a JSON number.
func (p *callParser) number() (value.Value, error) {
	start := p.pos
	for p.pos < len(p.text) && strings.IndexByte("+-.0123456789eE", p.text[p.pos]) >= 0 {
		p.pos++
	}
	text := p.text[start:p.pos]
	v, err := value.DecodeString(text)
	if err != nil || v.Kind() != value.Number {
		return v, fmt.Errorf("%q is no number", text)
	}
	return v, nil
}

// word reads true, false or null.
func (p *callParser) word() (value.Value, error) {
	for _, word := range []struct {
		text  string
		value value.Value
	}{{"true", value.Of(true)}, {"false", value.Of(false)}, {"null", value.NullValue}} {
		if strings.HasPrefix(p.text[p.pos:], word.text) {
			p.pos += len(word.text)
			return word.value, nil
		}
	}
	return value.Value{}, fmt.Errorf("%q is neither a path, a literal nor an intrinsic function", p.text[p.pos:])
}

// variables adds the names of the variables that the arguments refer to.
func (c *functionCall) variables(names []string) []string {
	for i := range c.args {
		if c.args[i].path != nil {
			names = append(names, c.args[i].path.Variables()...)
		}
	}
	return names
}

// eval applies the function. Its error is an [*Error], always States.Runtime:
// AWS documents States.IntrinsicFailure but was not seen to raise it.
func (c *functionCall) eval(a *application) (value.Value, error) {
	a.scope.Meter.Work(2 + int64(len(c.args)))
	a.scope.Meter.Hold(valueBytes * int64(len(c.args)))
	args := make([]value.Value, len(c.args))
	for i := range c.args {
		arg := &c.args[i]
		var err error
		switch {
		case arg.path == nil:
			args[i] = arg.literal
		case arg.path.call != nil:
			args[i], err = arg.path.call.eval(a)
		default:
			args[i], err = arg.find(a)
		}
		if err != nil {
			return value.Value{}, err
		}
	}
	if n := len(args); n < c.fn.min || c.fn.max >= 0 && n > c.fn.max {
		return value.Value{}, a.fail("Invalid arguments in " + c.name)
	}
	v, err := c.fn.apply(&application{a.scope, a.text, c}, args)
	switch {
	case errors.Is(err, errArguments):
		return v, a.fail("Invalid arguments in " + c.name)
	case err != nil:
		return v, a.fail(err.Error())
	}
	return v, nil
}

// find returns what an argument that is a path names. One that names nothing fails in
// the words of the service (recorded:
// test_invalid_jsonpath[INVALID_JSONPATH_IN_STRING_EXPR_JSONPATH] and …_CONTEXTPATH).
func (arg *argument) find(a *application) (value.Value, error) {
	from, err := arg.path.from(a.scope)
	if err == nil {
		from, err = arg.path.path.FindMetered(a.scope.Meter, from)
	}
	if err == nil {
		return from, nil
	}
	if failed, ok := errors.AsType[*jsonpath.Error](err); ok && !failed.NotFound {
		return value.Value{}, a.fail(failed.Message)
	}
	text := arg.text
	if arg.path.root == contextRoot {
		text = text[1:] // AWS shows the path into the Context Object, but the input
	}
	return value.Value{}, a.fail("The JsonPath argument for the field '" + text + "' could not be found in the input '" + shown(a.scope.Input) + "'")
}
