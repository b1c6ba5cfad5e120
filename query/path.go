package query

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/steppehq/steppe/jsonpath"
	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/value"
)

// pathRoot is what a path begins at.
type pathRoot uint8

const (
	inputRoot    pathRoot = iota // $
	contextRoot                  // $$
	variableRoot                 // $name
)

// Path is a path as the fields of states have it: into the input ($.a), the
// Context Object ($$.Execution.Id) or a variable ($name.a); or, where a field
// takes one, an intrinsic function.
type Path struct {
	text string
	root pathRoot
	name string // of the variable
	path *jsonpath.Path
	call *functionCall
}

// Path reads a path. The error is a [*jsonpath.SyntaxError].
func (c *Compiler) Path(text string) (*Path, error) {
	p := &Path{text: text}
	rest := text
	switch {
	case strings.HasPrefix(text, "$$"):
		p.root, rest = contextRoot, text[1:]
	case strings.HasPrefix(text, "$"):
		if name := identifier(text[1:]); name != "" {
			p.root, p.name, rest = variableRoot, name, "$"+text[1+len(name):]
		}
	default:
		return nil, &jsonpath.SyntaxError{Path: text, Reason: "it does not begin with $"}
	}
	var err error
	p.path, err = jsonpath.CompileIn(&c.regexes, rest)
	return p, err
}

// Expr reads a path or an intrinsic function.
func (c *Compiler) Expr(text string) (*Path, error) {
	if !strings.HasPrefix(text, "States.") {
		return c.Path(text)
	}
	called, err := c.parseCall(text)
	if err != nil {
		return nil, err
	}
	return &Path{text: text, call: called}, nil
}

// identifier returns the Unicode identifier that text begins with, "" for none (developer guide, "Passing data between states with variables": names follow UAX #31).
func identifier(text string) string {
	for i, c := range text {
		if !(unicode.IsLetter(c) || c == '_' || i > 0 && (unicode.IsDigit(c) || unicode.Is(unicode.Mn, c) || unicode.Is(unicode.Mc, c))) {
			return text[:i]
		}
	}
	return text
}

// IsVariableName reports whether a name may be a variable's: a Unicode
// identifier of at most 80 characters.
func IsVariableName(name string) bool {
	return name != "" && utf8.RuneCountInString(name) <= 80 && identifier(name) == name
}

// String is the text that the path was compiled from.
func (p *Path) String() string { return p.text }

// IsCall reports whether the path is an intrinsic function.
func (p *Path) IsCall() bool { return p.call != nil }

// Definite reports whether the path picks at most one value.
func (p *Path) Definite() bool { return p.call != nil || p.path.Definite() }

// Root reports whether the path is "$".
func (p *Path) Root() bool { return p.text == "$" }

// Variables returns the names of the variables that the path refers to.
func (p *Path) Variables() []string {
	switch {
	case p.call != nil:
		return p.call.variables(nil)
	case p.root == variableRoot:
		return []string{p.name}
	}
	return nil
}

// errNoVariable: a path begins at a variable that no state has assigned.
var errNoVariable = errors.New("the variable is not defined")

// Eval picks what the path names. The error of a path is one of package
// jsonpath, for which the field has the words ([Path.NotFound], [Path.Invalid]);
// that of an intrinsic function is an [*Error].
func (p *Path) Eval(s *Scope) (v value.Value, err error) {
	defer s.Meter.Caught(&err)
	return p.eval(s)
}

// eval is Eval inside of an evaluation whose meter is caught further out.
func (p *Path) eval(s *Scope) (value.Value, error) {
	if p.call != nil {
		return p.call.eval(&application{scope: s, text: p.text})
	}
	from, err := p.from(s)
	if err != nil {
		return value.Value{}, err
	}
	return p.path.EvalMetered(s.Meter, from)
}

// from returns the document that the path begins at.
func (p *Path) from(s *Scope) (value.Value, error) {
	switch p.root {
	case inputRoot:
	case contextRoot:
		return s.Context(), nil
	case variableRoot:
		if s.Vars != nil {
			if v, ok := s.Vars.Lookup(p.name); ok {
				return v, nil
			}
		}
		return value.Value{}, errNoVariable
	}
	return s.Input, nil
}

// NotFound returns the error of a field that must name something, for which Eval has
// returned err, in the words of a payload template. input is what the message shows.
func (p *Path) NotFound(field string, input value.Value, err error) error {
	if said(err) {
		return err
	}
	return runtimeError("The JSONPath '"+p.text+"' specified for the field '"+field+"' could not be found in the input '"+shown(input)+"'", err)
}

// said reports whether an error has words of its own, so that those of the field are
// not needed.
func said(err error) bool {
	if _, ok := errors.AsType[*Error](err); ok {
		return true
	}
	_, ok := errors.AsType[*meter.Stop](err)
	return ok
}

// maxShown bounds what a cause shows of a value, in bytes: that is how long a cause may
// be in the API.
const maxShown = 32 << 10

// shown returns a value as causes show it.
func shown(v value.Value) string { return v.Shown(maxShown) }

// Invalid returns the error of a field like InputPath, for which Eval has returned
// err: Jayway's message behind "Invalid path".
func (p *Path) Invalid(err error) error {
	if said(err) {
		return err
	}
	return runtimeError("Invalid path '"+p.text+"' : "+err.Error(), err)
}
