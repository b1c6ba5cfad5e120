package jsonata_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator makes expressions from a grammar: what users write, and beside it
// what they would not, so that errors are met too.
type generator struct {
	*rand.Rand
	vars  []string // that are bound here
	left  int      // how many more nodes the expression may have
	steps bool     // inside of a path, where % may stand
}

// generate makes the expression of a seed.
func generate(seed uint64) string {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1)), left: 24}
	return g.expr(4)
}

func (g *generator) pick(choices ...string) string { return choices[g.IntN(len(choices))] }

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// expr makes an expression of some depth.
func (g *generator) expr(depth int) string {
	g.left--
	if depth <= 0 || g.left <= 0 {
		return g.leaf()
	}
	makers := []struct {
		weight int
		make   func(int) string
	}{
		{10, func(int) string { return g.leaf() }},
		{22, g.path},
		{14, g.binary},
		{24, g.call},
		{6, g.constructArray},
		{6, g.constructObject},
		{4, g.conditional},
		{5, g.block},
		{4, g.higherOrder},
		{3, g.chain},
		{3, g.group},
		{2, g.transform},
		{2, func(d int) string { return "(" + g.expr(d-1) + ")" }},
		{2, func(d int) string { return "-" + g.operand(d-1) }},
	}
	total := 0
	for _, m := range makers {
		total += m.weight
	}
	n := g.IntN(total)
	for _, m := range makers {
		if n -= m.weight; n < 0 {
			return m.make(depth)
		}
	}
	return g.leaf()
}

// operand is an expression that needs no more parentheses.
func (g *generator) operand(depth int) string {
	if g.chance(60) {
		return g.leaf()
	}
	return "(" + g.expr(depth) + ")"
}

func (g *generator) leaf() string {
	switch g.IntN(14) {
	case 0, 1:
		return g.number()
	case 2, 3:
		return g.text()
	case 4:
		return g.pick("true", "false", "null")
	case 5:
		return "$"
	case 6:
		if len(g.vars) > 0 {
			return g.vars[g.IntN(len(g.vars))]
		}
		return "$nothing"
	case 7:
		return g.pick("[]", "{}", "*", "**", "[1,2,3]", `["b","a"]`, "missing", "$$")
	default:
		return g.field()
	}
}

func (g *generator) number() string {
	return g.pick("0", "1", "2", "3", "10", "-1", "0.5", "2.5", "100", "1e3", "17", "42", "-3.7", "1234567.891", "0.001", "1e21", "255")
}

func (g *generator) text() string {
	return g.pick(`""`, `"a"`, `"b"`, `"Hello"`, `"Hello, World"`, `"42"`, `"3.5"`, `" pad "`, `"a,b,c"`, `"ä€😀"`, `'x'`, `"2017-11-07"`, `"true"`, `"line\nbreak"`)
}

func (g *generator) field() string {
	return g.pick("order", "array", "numbers", "text", "null", "id", "name", "tags", "nested", "lines", "sku", "price", "qty", "kind", "options", "n",
		"flags", "mixed", "deep", "num", "a", "b", "c", "x", "y", "five", "`text`", "e", "z", "t")
}

// path makes steps with what may follow them.
func (g *generator) path(depth int) string {
	var b strings.Builder
	b.WriteString(g.pick("order.lines", "array", "order", "numbers", "order.nested", "order.lines.options", "array.b", "$", g.field(), g.field(), "order.deep", "order.mixed", "(order.lines)", "$.order.lines"))
	outer := g.steps
	g.steps = true
	defer func() { g.steps = outer }()
	for range g.IntN(3) {
		if g.chance(35) {
			b.WriteString(g.suffix(depth - 1))
		}
		b.WriteByte('.')
		switch g.IntN(12) {
		case 0:
			b.WriteString("*")
		case 1:
			b.WriteString("**")
		case 2:
			b.WriteString("(" + g.expr(depth-2) + ")")
		case 3:
			b.WriteString("%")
		case 4:
			b.WriteString(g.call(depth - 1))
		case 5:
			b.WriteString("{" + g.text() + ": " + g.expr(depth-2) + "}")
		case 6:
			b.WriteString("[" + g.expr(depth-2) + "]")
		case 7:
			b.WriteString("$")
		default:
			b.WriteString(g.field())
		}
	}
	if g.chance(45) {
		b.WriteString(g.suffix(depth - 1))
	}
	if g.chance(8) {
		b.WriteString("[]")
	}
	return b.String()
}

// suffix is a predicate, an order, or a variable that is bound.
func (g *generator) suffix(depth int) string {
	switch g.IntN(10) {
	case 0, 1:
		return "[" + g.pick("0", "1", "-1", "2", "[0,1]", "[0..1]", "1.5", "-2", "[1,-1]") + "]"
	case 2, 3:
		return "[" + g.field() + g.pick(" = ", " != ", " > ", " < ", " in ", " >= ") + g.operand(depth-1) + "]"
	case 4:
		return "[" + g.expr(depth-1) + "]"
	case 5:
		return "^(" + g.pick("", "<", ">") + g.field() + g.pick("", ", "+g.pick("", ">")+g.field()) + ")"
	case 6:
		v := g.bind()
		return "@" + v + "." + g.field() + "[" + v + "." + g.field() + " = " + g.field() + "]"
	case 7:
		v := g.bind()
		return "#" + v + "[" + v + g.pick(" < ", " = ", " > ") + g.pick("0", "1", "2") + "]"
	case 8:
		v := g.bind()
		return "@" + v + ".{" + `"k": ` + v + "." + g.field() + ", " + `"v": ` + g.field() + "}"
	default:
		v := g.bind()
		return "#" + v + ".{" + `"i": ` + v + ", " + `"v": ` + g.field() + "}"
	}
}

func (g *generator) bind() string {
	v := g.pick("$v", "$w", "$i")
	g.vars = append(g.vars, v)
	return v
}

func (g *generator) binary(depth int) string {
	op := g.pick("+", "-", "*", "/", "%", "&", "&", "=", "!=", "<", "<=", ">", ">=", "and", "or", "in", "..")
	if op == ".." {
		return "[" + g.pick("0", "1", "-2", "5", "2.5", g.field(), g.field()) + ".." + g.pick("3", "1", "6", "-1", "1.5", g.field()) + "]"
	}
	return g.operand(depth-1) + " " + op + " " + g.operand(depth-1)
}

func (g *generator) constructArray(depth int) string {
	items := make([]string, g.IntN(4))
	for i := range items {
		items[i] = g.expr(depth - 1)
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func (g *generator) constructObject(depth int) string {
	members := make([]string, g.IntN(3))
	for i := range members {
		key := fmt.Sprintf("%q", g.pick("a", "b", "k")+fmt.Sprint(i))
		if g.chance(15) {
			key = g.operand(depth - 1)
		}
		members[i] = key + ": " + g.expr(depth-1)
	}
	return "{" + strings.Join(members, ", ") + "}"
}

func (g *generator) conditional(depth int) string {
	s := g.operand(depth-1) + " ? " + g.expr(depth-1)
	if g.chance(75) {
		s += " : " + g.expr(depth-1)
	}
	return "(" + s + ")"
}

func (g *generator) block(depth int) string {
	known := len(g.vars)
	defer func() { g.vars = g.vars[:known] }()
	v := g.pick("$p", "$q")
	s := "(" + v + " := " + g.expr(depth-1) + "; "
	g.vars = append(g.vars, v)
	if g.chance(30) {
		s += g.expr(depth-1) + "; "
	}
	return s + g.expr(depth-1) + ")"
}

// lambda makes a function of some parameters.
func (g *generator) lambda(depth, parameters int) string {
	known := len(g.vars)
	defer func() { g.vars = g.vars[:known] }()
	names := []string{"$e", "$k", "$l", "$m"}[:parameters]
	g.vars = append(g.vars, names...)
	signature := ""
	if parameters == 1 && g.chance(8) {
		signature = g.pick("<n:n>", "<s:s>", "<x:x>", "<a:a>", "<s-:s>", "<(sn):x>", "<a<n>:n>")
	}
	return g.pick("function", "λ") + "(" + strings.Join(names, ", ") + ")" + signature + "{" + g.expr(depth-1) + "}"
}

func (g *generator) higherOrder(depth int) string {
	switch g.IntN(9) {
	case 0, 1:
		return "$map(" + g.expr(depth-1) + ", " + g.lambda(depth, 1+g.IntN(3)) + ")"
	case 2, 3:
		return "$filter(" + g.expr(depth-1) + ", " + g.lambda(depth, 1+g.IntN(3)) + ")"
	case 4:
		return "$reduce(" + g.expr(depth-1) + ", " + g.lambda(depth, 2+g.IntN(2)) + g.pick("", ", "+g.leaf()) + ")"
	case 5:
		return "$sift(" + g.expr(depth-1) + ", " + g.lambda(depth, 1+g.IntN(2)) + ")"
	case 6:
		return "$each(" + g.expr(depth-1) + ", " + g.lambda(depth, 1+g.IntN(2)) + ")"
	case 7:
		return "$single(" + g.expr(depth-1) + ", " + g.lambda(depth, 1) + ")"
	default:
		return "$sort(" + g.expr(depth-1) + g.pick("", ", function($l, $r){$l > $r}", ", function($l, $r){$l."+g.field()+" > $r."+g.field()+"}") + ")"
	}
}

func (g *generator) chain(depth int) string {
	s := g.operand(depth - 1)
	for range 1 + g.IntN(2) {
		s += " ~> " + g.pick("$sum", "$count", "$string", "$uppercase", "$join(\"-\")", "$map(function($e){$e})", "$substring(0, 2)", "$sort", "$distinct", "$reverse()", "$max", "$length", "$substringBefore(\" \")", "$append(1)", "$keys", "$lookup(\"a\")")
	}
	return s
}

func (g *generator) group(depth int) string {
	return g.pick("order.lines", "array", "order.lines.options", "numbers", "order") + "{" + g.pick("kind", "sku", "$string(a)", "$string($)", g.field()) + ": " + g.expr(depth-1) + "}"
}

func (g *generator) transform(depth int) string {
	deleted := ""
	if g.chance(40) {
		deleted = ", " + g.pick(`"price"`, `["a","b"]`, `"missing"`, g.leaf())
	}
	return g.pick("order", "$", "array") + " ~> |" + g.pick("lines", "$", "nested", "array", "**", "b") + "|{" + `"new": ` + g.expr(depth-1) + "}" + deleted + "|"
}

// call makes a call of a builtin with arguments that it may like.
func (g *generator) call(depth int) string {
	f := builtins[g.IntN(len(builtins))]
	args := make([]string, 0, len(f.args))
	for _, kinds := range f.args {
		if strings.HasSuffix(kinds, "?") && g.chance(40) {
			break
		}
		args = append(args, g.argument(strings.TrimSuffix(kinds, "?"), depth))
	}
	if g.chance(3) {
		args = append(args, g.leaf())
	}
	if g.chance(2) && len(args) > 0 {
		args[0] = "?"
		return f.name + "(" + strings.Join(args, ", ") + ")(" + g.leaf() + ")"
	}
	return f.name + "(" + strings.Join(args, ", ") + ")"
}

// argument makes one of a kind, or now and then of any.
func (g *generator) argument(kind string, depth int) string {
	if g.chance(12) {
		return g.expr(depth - 1)
	}
	switch kind {
	case "n":
		return g.pick(g.number(), g.number(), "order.id", "order.lines.price", "numbers[0]", "$count(numbers)")
	case "s":
		return g.pick(g.text(), g.text(), "text", "order.name", "order.text", "order.lines[0].sku", "$string(order.id)")
	case "a":
		return g.pick("numbers", "order.lines", "array", "order.tags", "[]", "[1,2]", "order.mixed", g.path(depth-1), "order.lines.price")
	case "o":
		return g.pick("order", "$", "order.nested", "array[0]", "{}", `{"a":1,"b":[2]}`, "array")
	case "b":
		return g.pick("true", "false", g.field(), g.operand(depth-1))
	case "p":
		return g.pick(`"#,##0.00"`, `"0"`, `"00.0#"`, `"#0.0%"`, `"0.0e0"`, `"#"`, `"0.0‰"`, `"#,##,##0"`, `"000;(000)"`, `"0.#a"`, `"x"`, `""`)
	case "i":
		return g.pick(`"1"`, `"i"`, `"I"`, `"a"`, `"A"`, `"w"`, `"W"`, `"Ww"`, `"w;o"`, `"#,##0"`, `"0001"`, `"1;o"`, `"Ww;o"`, `"#:##:#0"`, `"٠"`, `"x"`, `"A;o"`)
	case "t":
		return g.pick(`"[Y0001]-[M01]-[D01]"`, `"[H01]:[m01]:[s01].[f001]"`, `"[FNn], [D1o] [MNn] [Y]"`, `"[Y]W[W01]"`, `"[h]:[m] [P]"`, `"[MNn,3-3] [d]"`, `"[Yi] [Mw] [Dwo]"`, `"[YN]"`, `"[Z] [z]"`,
			`"[Y0001][M01][D01]T[H01][m01][Z]"`, `"[dwo]"`, `"[[[Y]]]"`, `"[x]"`, `"[Y"`, `"[M#1]/[D#1]/[Y,2-2]"`, `"[w] [F0]"`, `"[XI] [xNn]"`, `"[E] [C]"`)
	case "z":
		return g.pick(`"+0100"`, `"-0530"`, `"0000"`, `"+1400"`, `"Z"`, `"x"`)
	case "d":
		return g.pick(`"2017-11-07T15:07:54.972Z"`, `"2018"`, `"2018-02-01"`, `"2018-02-01T09:42:13.123+0000"`, `"1 March 2020"`, `"12/25/1999"`, `"x"`, `"14:30"`, `"Monday"`)
	case "m":
		return g.pick("0", "1510067557121", "1509380732935", "-1", "1585699200000", "86400000", "1e12", "951782400000")
	case "r":
		return g.pick("/a/", "/[aeiou]/", "/l+/", "/(H)(e)/", "/o/i", "/^H/", `/\s/`, "/x*y/", "/b|c/", `/\d+/`, "/(a)(b)?/")
	case "f":
		return g.lambda(depth-1, 1)
	}
	return g.expr(depth - 1)
}

// builtins are the functions of JSONata and the kinds of their arguments; one
// with a question mark may be left out.
var builtins = []struct {
	name string
	args []string
}{
	{"$string", []string{"x", "b?"}},
	{"$length", []string{"s"}},
	{"$substring", []string{"s", "n", "n?"}},
	{"$substringBefore", []string{"s", "s"}},
	{"$substringAfter", []string{"s", "s"}},
	{"$uppercase", []string{"s"}},
	{"$lowercase", []string{"s"}},
	{"$trim", []string{"s"}},
	{"$pad", []string{"s", "n", "s?"}},
	{"$contains", []string{"s", "s"}},
	{"$contains", []string{"s", "r"}},
	{"$split", []string{"s", "s", "n?"}},
	{"$split", []string{"s", "r", "n?"}},
	{"$join", []string{"a", "s?"}},
	{"$match", []string{"s", "r", "n?"}},
	{"$replace", []string{"s", "s", "s", "n?"}},
	{"$replace", []string{"s", "r", "s", "n?"}},
	{"$base64encode", []string{"s"}},
	{"$base64decode", []string{"s"}},
	{"$encodeUrlComponent", []string{"s"}},
	{"$encodeUrl", []string{"s"}},
	{"$decodeUrlComponent", []string{"s"}},
	{"$decodeUrl", []string{"s"}},
	{"$number", []string{"s"}},
	{"$number", []string{"x"}},
	{"$abs", []string{"n"}},
	{"$floor", []string{"n"}},
	{"$ceil", []string{"n"}},
	{"$round", []string{"n", "n?"}},
	{"$power", []string{"n", "n"}},
	{"$sqrt", []string{"n"}},
	{"$formatNumber", []string{"n", "p"}},
	{"$formatBase", []string{"n", "n?"}},
	{"$formatInteger", []string{"n", "i"}},
	{"$parseInteger", []string{"s", "i"}},
	{"$sum", []string{"a"}},
	{"$max", []string{"a"}},
	{"$min", []string{"a"}},
	{"$average", []string{"a"}},
	{"$boolean", []string{"x"}},
	{"$not", []string{"x"}},
	{"$exists", []string{"x"}},
	{"$count", []string{"a"}},
	{"$append", []string{"a", "x"}},
	{"$reverse", []string{"a"}},
	{"$distinct", []string{"a"}},
	{"$zip", []string{"a", "a?", "a?"}},
	{"$keys", []string{"o"}},
	{"$lookup", []string{"o", "s"}},
	{"$spread", []string{"o"}},
	{"$merge", []string{"a"}},
	{"$type", []string{"x"}},
	{"$fromMillis", []string{"m", "t?", "z?"}},
	{"$toMillis", []string{"d", "t?"}},
	{"$sort", []string{"a"}},
	{"$single", []string{"a"}},
	{"$assert", []string{"b", "s?"}},
	{"$error", []string{"s?"}},
	{"$substringBefore", []string{"s", "r"}},
	{"$toMillis", []string{"d"}},
	{"$fromMillis", []string{"m"}},
	{"$replace", []string{"s", "r", "f"}},
}
