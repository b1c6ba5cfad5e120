package jsonata

import (
	"strings"

	"github.com/steppehq/steppe/value"
)

// # Signatures
//
// A signature says what a function takes (docs.jsonata.org, "Function signatures"):
// <s-nn?:s> is a string, a number and perhaps another number. Behind a type, - takes
// the value the call stands on where the argument is missing, ? makes it optional, +
// takes one or more. a<n> is an array of numbers; a single value is made an array of
// one.
//
// The reference implementation matches the types of all arguments, one letter each,
// against the signature as a regular expression. validate does the same without one:
// where each argument fits its parameter, it is done; else match distributes them
// with backtracking, greedily as the regular expression would. A mismatch names the
// first argument behind the longest beginning that fits some first parameters
// (T0410), which prefix finds.

// signature is what arguments a function takes: <s-nn?:s>.
type signature struct{ params []param }

// param is one parameter: the types it takes, as symbols.
type param struct {
	types string // of one argument: s n b l o a f, m for undefined
	name  string // the type as it was written
	item  byte   // the type of an array's items, 0 for any
	array bool
	// optional may be left out; with context it is then the value that the
	// call stands on; many stands for one or more.
	optional, context, many bool
}

// typeNames are the types of items in messages.
var typeNames = map[byte]string{
	'a': "arrays", 'b': "booleans", 'f': "functions", 'n': "numbers", 'o': "objects", 's': "strings",
}

// parseSignature reads a signature with its angle brackets. Its errors count from a
// place in the expression.
func parseSignature(text string, at int) *signature {
	s := &signature{}
	text = strings.TrimPrefix(text, "<")
	for i := 0; i < len(text) && text[i] != ':' && text[i] != '>'; i++ {
		var last *param
		if len(s.params) > 0 {
			last = &s.params[len(s.params)-1]
		}
		switch c := text[i]; c {
		case 's', 'n', 'b', 'l', 'o':
			s.params = append(s.params, param{types: string(c) + "m", name: string(c)})
		case 'a':
			s.params = append(s.params, param{types: "asnblfom", name: "a", array: true})
		case 'f':
			s.params = append(s.params, param{types: "f", name: "f"})
		case 'j':
			s.params = append(s.params, param{types: "asnblom", name: "j"})
		case 'x':
			s.params = append(s.params, param{types: "asnblfom", name: "x"})
		case '-':
			if last != nil {
				last.context, last.optional = true, true
			}
		case '?':
			if last != nil {
				last.optional = true
			}
		case '+':
			if last != nil {
				last.many = true
			}
		case '(':
			end := closing(text, i, '(', ')')
			choice := text[i+1 : max(end, i+1)]
			if strings.Contains(choice, "<") {
				failSignature("S0402", choice, at+1+i)
			}
			s.params = append(s.params, param{types: choice + "m", name: "(" + choice + ")"})
			i = end
		case '<':
			end := closing(text, i, '<', '>')
			if last == nil || last.name != "a" && last.name != "f" {
				failSignature("S0401", text, at+1+i)
			}
			if last.name == "a" && end > i+1 {
				last.item = text[i+1]
			}
			i = end
		}
	}
	return s
}

// failSignature throws the error of a signature that is wrong, at a byte of the
// expression.
func failSignature(code, text string, at int) {
	e := newError(code, value.Str(text))
	e.Position = at
	panic(e)
}

// closing finds the bracket that closes the one at i; the end when there is
// none.
func closing(text string, i int, open, end byte) int {
	depth := 0
	for ; i < len(text); i++ {
		switch text[i] {
		case open:
			depth++
		case end:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(text) - 1
}

// takes reports whether an argument is of one of the types.
func (p *param) takes(v *value.Value) bool { return strings.IndexByte(p.types, symbol(v)) >= 0 }

// symbol is the type of an argument.
func symbol(v *value.Value) byte {
	switch v.Kind() {
	case value.String:
		return 's'
	case value.Number:
		return 'n'
	case value.Bool:
		return 'b'
	case value.Null:
		return 'l'
	case value.Array:
		return 'a'
	case value.Object:
		if fnLike(*v) {
			return 'f'
		}
		return 'o'
	case value.Undefined:
	}
	return 'm'
}

// validate holds arguments against a function's signature, and puts in what
// is left out.
func (e *evaluation) validate(fn *function, args []val, context val) []val {
	params := fn.signature.params
	for i := range args {
		if i < len(params) && params[i].name == "n" && args[i].Kind() == value.Number && infinite(args[i].Value) {
			e.throw("D1001", args[i].Value)
		}
	}
	// The wrapped input is one value to a function as well.
	if context.flags&flagOuter != 0 {
		context = plain(context.At(0))
	}
	// Nearly all calls: one argument for each parameter, all of the right types.
	each := len(args) == len(params) // one argument a parameter
	for i := 0; each && i < len(params); i++ {
		each = !params[i].many && params[i].takes(&args[i].Value)
	}
	if each {
		for i := range args {
			if params[i].array {
				args[i] = e.argumentOf(&params[i], args[i], i+1)
			}
		}
		return args
	}
	counts := make([]int, len(params))
	if !e.match(params, counts, args) {
		e.mismatch(params, args)
	}
	valid := make([]val, 0, len(params))
	next := 0
	for i := range params {
		p := &params[i]
		if counts[i] == 0 {
			switch {
			case !p.context: // the reference implementation takes an argument here
				var arg val
				if next < len(args) {
					arg = args[next]
				}
				valid = append(valid, arg)
				next++
			case p.takes(&context.Value):
				valid = append(valid, context)
			default:
				e.argument("T0411", context.Value, next+1, "")
			}
			continue
		}
		for range counts[i] {
			var arg val
			if next < len(args) {
				arg = args[next]
			}
			valid = append(valid, e.argumentOf(p, arg, next+1))
			next++
		}
	}
	return valid
}

// match distributes arguments over parameters: each takes as many as it can,
// as long as the rest has a place.
func (e *evaluation) match(params []param, counts []int, args []val) bool {
	e.tick(1) // with many + there are many ways
	if len(params) == 0 {
		return len(args) == 0
	}
	p := &params[0]
	most := 0
	for most < len(args) && p.takes(&args[most].Value) {
		most++
		if !p.many {
			break
		}
	}
	least := 1
	if p.optional {
		least = 0
	}
	// The most first, as a greedy * or + does; fewer when the rest finds no place.
	for n := most; n >= least; n-- {
		counts[0] = n
		if e.match(params[1:], counts[1:], args[n:]) {
			return true
		}
	}
	return false
}

// mismatch complains of the first argument that fits no parameter.
func (e *evaluation) mismatch(params []param, args []val) {
	good := 0
	for i := range params {
		n, ok := e.prefix(params[:i+1], args)
		if !ok {
			break
		}
		good = n
	}
	var v value.Value
	if good < len(args) {
		v = args[good].Value
	}
	e.argument("T0410", v, good+1, "")
}

// prefix returns how many arguments the first parameters take; false when they take
// no beginning of them.
func (e *evaluation) prefix(params []param, args []val) (int, bool) {
	for n := len(args); n >= 0; n-- {
		if e.match(params, make([]int, len(params)), args[:n]) {
			return n, true
		}
	}
	return 0, false
}

// argument throws the error of argument number index (from 1) of the call under way.
func (e *evaluation) argument(code string, v value.Value, index int, itemType string) {
	t := newError(code, v)
	t.Position, t.Token, t.Index = e.place.at, e.place.token, index
	if itemType != "" {
		t.Value2 = value.Str(itemType)
	}
	panic(t)
}

// argumentOf makes an array of an argument that must be one.
func (e *evaluation) argumentOf(p *param, arg val, index int) val {
	if !p.array || arg.IsUndefined() {
		return arg
	}
	if arg.Kind() != value.Array {
		if p.item != 0 && symbol(&arg.Value) != p.item {
			e.argument("T0412", arg.Value, index, typeNames[p.item])
		}
		return plain(value.Arr(arg.Value))
	}
	if p.item != 0 {
		e.tick(arg.Len() / 16)
		items := arg.Items()
		for i := range items {
			if symbol(&items[i]) != p.item {
				e.argument("T0412", arg.Value, index, typeNames[p.item])
			}
		}
	}
	return arg
}
