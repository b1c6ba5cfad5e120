package jsonata

import (
	"strconv"

	"github.com/steppehq/steppe/regex"
	"github.com/steppehq/steppe/value"
)

// # Operator precedence
//
// The parser is the one of Vaughan Pratt ("Top Down Operator Precedence", 1973), as
// in jsonata-js. Each operator behind an operand has a binding power. expression(p)
// reads one operand and then takes operators as long as they bind tighter than p,
// each with the operand on its left; a right operand is read by expression with the
// power of its operator. Equal powers therefore group to the left, and := , which
// reads its right side with a power of one less, to the right:
//
//	1 - 2 - 3      (1 - 2) - 3        both 50
//	1 + 2 * 3      1 + (2 * 3)        60 binds tighter than 50
//	$a := $b := 1  $a := ($b := 1)    10, then 9
//
// The powers and the points at which errors are found are those of the reference
// implementation, since its error codes and positions are what users see.
//
// What comes out is a tree of operators. processor (process.go) makes paths and steps
// of it.

// maxNesting bounds how deep an expression nests.
const maxNesting = 1000

// parser reads an expression by operator precedence (Pratt).
type parser struct {
	lex   lexer
	tok   lexeme
	depth int

	regexes *regex.Set
	parts   *Parts
}

// MaxParts is how many parts, that is names, literals and operators, expressions may
// have that are compiled together. Each takes some 900 bytes of memory.
const MaxParts = 50_000

// Parts counts the parts of the expressions of one definition, which have [MaxParts]
// together. It is for one goroutine.
type Parts struct{ n int }

// Weight is about how many bytes of memory the parts hold.
func (c *Parts) Weight() int64 { return int64(c.n) * partBytes }

// partBytes is what a part takes, with its place in another one.
const partBytes = 880

// part makes a part.
func (p *parser) part(n node) *node {
	if p.parts.n++; p.parts.n > MaxParts {
		panic(&Error{Code: "U1001", Position: n.at, Token: n.text, Message: "The expressions that are compiled together have more than " + strconv.Itoa(MaxParts) + " parts"})
	}
	return &n
}

// powers are the binding powers of operators behind an operand.
var powers = map[string]int{
	".": 75, "[": 80, "{": 70, "(": 80, "@": 80, "#": 80, "?": 20, "+": 50, "-": 50, "*": 60, "/": 60, "%": 60,
	"=": 40, "<": 40, ">": 40, "^": 40, ":=": 10, "!=": 40, "<=": 40, ">=": 40, "~>": 40,
	"and": 30, "or": 25, "in": 40, "&": 50, "?:": 40, "??": 40,
}

// isOperand has the operators that stand for an operand by themselves, or end one:
// what is behind them is no regular expression.
var isOperand = map[string]bool{")": true, "]": true, "}": true, "*": true, "**": true, "%": true, "and": true, "or": true, "in": true}

// fail throws an error at the current token.
func (p *parser) fail(code, token string, v value.Value) {
	e := newError(code, v)
	e.Token, e.Position, e.literal = token, p.tok.at, p.tok.value
	if p.tok.kind == endToken {
		e.Token = endText
	}
	panic(e)
}

// endText is the token that messages show for the end of an expression.
const endText = "(end)"

// failAt throws an error at a node. It serves the parser and evaluations alike.
func failAt(code string, n *node, token string, v value.Value) {
	e := newError(code, v)
	e.Token, e.Position = token, n.at
	if n.kind == literalNode && token == n.text {
		e.literal = n.value
	}
	panic(e)
}

// advance reads the next token. operand says whether one may begin there.
func (p *parser) advance(operand bool) {
	p.tok = p.lex.next(operand)
	if p.is("!") || p.is("~") {
		p.fail("S0204", p.tok.text, value.Value{}) // they only begin operators
	}
}

// expect passes over an operator that must stand here.
func (p *parser) expect(op string, operand bool) {
	if !p.is(op) {
		code := "S0202"
		if p.tok.kind == endToken {
			code = "S0203"
		}
		p.fail(code, p.tok.text, value.Str(op))
	}
	p.advance(operand)
}

// is reports whether the current token is an operator.
func (p *parser) is(op string) bool { return p.tok.kind == operatorToken && p.tok.text == op }

// power returns the binding power of the current token, 0 for one that ends an
// expression.
func (p *parser) power() int {
	if p.tok.kind != operatorToken {
		return 0
	}
	return powers[p.tok.text]
}

// parse reads the whole text.
func (p *parser) parse() *node {
	p.advance(true)
	n := p.expression(0)
	if p.tok.kind != endToken {
		p.fail("S0201", p.tok.text, value.Value{})
	}
	return n
}

// expression reads operands and operators that bind tighter than a power.
func (p *parser) expression(power int) *node {
	if p.depth++; p.depth > maxNesting {
		p.fail("U1001", "", value.Value{})
	}
	tok := p.tok
	p.advance(tok.kind == operatorToken && !isOperand[tok.text])
	left := p.operand(tok)
	for power < p.power() {
		tok = p.tok
		p.advance(true)
		left = p.behind(tok, left)
	}
	p.depth--
	return left
}

// operand reads what begins with a token.
func (p *parser) operand(tok lexeme) *node {
	n := p.part(node{at: tok.at, text: tok.text})
	switch tok.kind {
	case endToken:
		n.kind = endNode
	case nameToken:
		n.kind = nameNode
	case variableToken:
		n.kind = variableNode
	case stringToken:
		n.kind, n.value = stringNode, value.Str(tok.text)
	case numberToken, valueToken:
		n.kind, n.value = literalNode, tok.value
	case regexToken:
		n.kind, n.regex = regexNode, compileRegex(p.regexes, tok.text, tok.flags, tok.at)
	case operatorToken:
		p.prefix(n)
	}
	return n
}

// prefix reads an operand that begins with an operator.
func (p *parser) prefix(n *node) {
	switch n.text {
	case "and", "or", "in":
		n.kind = operatorNode
	case "-":
		n.kind, n.left = negateNode, p.expression(70)
	case "*":
		n.kind = wildcardNode
	case "**":
		n.kind = descendantNode
	case "%":
		n.kind = parentNode
	case "(":
		p.block(n)
	case "[":
		p.array(n)
	case "{":
		n.kind, n.pairs = objectNode, p.object()
	case "|":
		p.transform(n)
	default:
		failAt("S0211", n, n.text, value.Value{})
	}
}

// block reads (…; …) behind its parenthesis.
func (p *parser) block(n *node) {
	n.kind = blockNode
	for !p.is(")") {
		n.items = append(n.items, p.expression(0))
		if !p.is(";") {
			break
		}
		p.advance(true)
	}
	p.expect(")", false)
}

// array reads […] behind its bracket. The operator .. stands only here.
func (p *parser) array(n *node) {
	n.kind = arrayNode
	if !p.is("]") {
		for {
			item := p.expression(0)
			if p.is("..") {
				r := p.part(node{kind: rangeNode, at: p.tok.at, text: "..", left: item})
				p.advance(true)
				r.right = p.expression(0)
				item = r
			}
			n.items = append(n.items, item)
			if !p.is(",") {
				break
			}
			p.advance(true)
		}
	}
	p.expect("]", false)
}

// object reads the pairs of an object constructor, or of a group, behind the brace.
func (p *parser) object() []pair {
	var pairs []pair
	if !p.is("}") {
		for {
			key := p.expression(0)
			p.expect(":", true)
			pairs = append(pairs, pair{key, p.expression(0)})
			if !p.is(",") {
				break
			}
			p.advance(true)
		}
	}
	p.expect("}", false)
	return pairs
}

// transform reads |pattern|update,delete| behind the first bar.
func (p *parser) transform(n *node) {
	n.kind = transformNode
	n.left = p.expression(0)
	p.expect("|", true)
	n.right = p.expression(0)
	if p.is(",") {
		p.advance(true)
		n.other = p.expression(0)
	}
	p.expect("|", false)
}

// behind reads what an operator behind an operand begins. a ?: b and a ?? b are
// conditions that need a twice, as what is tested and as what is returned; each has a
// tree of its own, because processing changes trees.
func (p *parser) behind(tok lexeme, left *node) *node {
	n := p.part(node{kind: binaryNode, at: tok.at, text: tok.text, left: left})
	switch tok.text {
	case "(":
		return p.call(n)
	case "[":
		return p.filter(n)
	case "{":
		n.kind, n.pairs = groupNode, p.object()
	case "^":
		p.order(n)
	case "@", "#":
		n.kind = focusNode
		if tok.text == "#" {
			n.kind = indexNode
		}
		n.right = p.expression(80)
		if n.right.kind != variableNode {
			failAt("S0214", n.right, tok.text, value.Value{})
		}
	case ":=":
		if left.kind != variableNode {
			failAt("S0212", left, left.text, value.Value{})
		}
		n.kind, n.right = bindNode, p.expression(9)
	case "~>":
		n.kind, n.right = applyNode, p.expression(40)
	case "?":
		n.kind, n.right = conditionNode, p.expression(0)
		if p.is(":") {
			p.advance(true)
			n.other = p.expression(0)
		}
	case "?:":
		n.kind, n.right, n.other = conditionNode, p.copied(left), p.expression(0)
	case "??":
		exists := p.part(node{kind: callNode, at: tok.at, left: p.part(node{kind: variableNode, at: tok.at, text: "exists"}), items: []*node{p.copied(left)}})
		n.kind, n.left, n.right, n.other = conditionNode, exists, left, p.expression(0)
	case ".":
		n.kind, n.right = dotNode, p.expression(75)
	default:
		n.right = p.expression(powers[tok.text])
	}
	return n
}

// filter reads a predicate, or the empty one that keeps arrays.
func (p *parser) filter(n *node) *node {
	if p.is("]") {
		step := n.left
		for step.kind == filterNode {
			step = step.left
		}
		step.keepArray = true
		p.advance(false)
		return n.left
	}
	n.kind, n.right = filterNode, p.expression(0)
	p.expect("]", false)
	return n
}

// order reads ^(>a, <b): terms with or without a direction.
func (p *parser) order(n *node) {
	n.kind = orderNode
	p.expect("(", true)
	for {
		var t term
		if p.is("<") || p.is(">") {
			t.descending = p.is(">")
			p.advance(true)
		}
		t.expr = p.expression(0)
		n.terms = append(n.terms, t)
		if !p.is(",") {
			break
		}
		p.advance(true)
	}
	p.expect(")", false)
}

// call reads arguments. When what is called is the word function, it reads a
// lambda.
func (p *parser) call(n *node) *node {
	n.kind = callNode
	if !p.is(")") {
		for {
			if p.is("?") {
				n.kind = partialNode
				n.items = append(n.items, p.part(node{kind: placeholderNode, at: p.tok.at, text: "?"}))
				p.advance(false)
			} else {
				n.items = append(n.items, p.expression(0))
			}
			if !p.is(",") {
				break
			}
			p.advance(true)
		}
	}
	p.expect(")", false)
	if n.left.kind == nameNode && (n.left.text == "function" || n.left.text == "λ") {
		p.lambda(n)
	}
	return n
}

// lambda reads what follows the parameters of function($a, $b)<signature>{ body }. A
// signature is read as text, from tokens, and parsed by itself.
func (p *parser) lambda(n *node) {
	for i, arg := range n.items {
		if arg.kind != variableNode {
			failAt("S0208", arg, arg.text, value.Int(int64(i+1)))
		}
	}
	n.kind = lambdaNode
	if p.is("<") {
		depth, text, at := 1, "<", p.tok.at
		for depth > 0 && !p.is("{") && p.tok.kind != endToken {
			p.advance(false)
			if p.is(">") {
				depth--
			} else if p.is("<") {
				depth++
			}
			text += p.tok.text
		}
		p.expect(">", false)
		n.signature = parseSignature(text, at)
	}
	p.expect("{", true)
	n.right = p.expression(0)
	p.expect("}", false)
}
