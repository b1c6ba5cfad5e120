package jsonata_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/steppehq/steppe/jsonata"
	"github.com/steppehq/steppe/value"
)

// pieces are what is put into expressions to break them.
var pieces = []string{
	".", "[", "]", "{", "}", "(", ")", ",", ";", ":", "?", "+", "-", "*", "**", "%", "/", "|", "=", "!=", "<", ">=", "^", "^(", "&", "~>", ":=", "..", "@", "#",
	"@$v", "#$i", "@x", " and ", " or ", " in ", "!", "~", "\"", "'", "`", "/*", "*/", "/x/", "//", "/(/", "\\", `"\q"`, `"\u12"`, `'\`, "1e999", "0x1", "1.", ".5", "$", "$$", "$x", "a", "function", "function(", "function($x)",
	"function($x){", "function(x){1}", "function($x)<n:n>{$x}", "function($x)<(s<n>)>{$x}", "function($x)<s<n>>{$x}", "λ", "a{'b':1}{'c':2}", "a{'b':1}[0]", "[1].2", "a.1", "a.'x'", "a.(1).%", "%.%", "$y := ", "1 := 2", "(a", "[a", "{a", "null", "true", "🙂", "é",
}

// broken makes an expression that is not as it should be.
func broken(seed uint64) string {
	random := rand.New(rand.NewPCG(seed, 17))
	text := generate(seed)
	if len(text) > 60 {
		text = text[:60] // it is easier read, and mostly broken
	}
	text = strings.ToValidUTF8(text, "")
	for range 1 + random.IntN(2) {
		runes := []rune(text)
		at := random.IntN(len(runes) + 1)
		piece := pieces[random.IntN(len(pieces))]
		end := min(at+random.IntN(4), len(runes))
		switch random.IntN(4) {
		case 0:
			text = string(runes[:at]) + piece + string(runes[at:])
		case 1:
			text = string(runes[:at]) + string(runes[end:])
		case 2:
			text = string(runes[:at]) + piece + string(runes[end:])
		case 3:
			text = string(runes[:at])
		}
	}
	return text
}

// TestBrokenDifferential holds what is told of expressions that cannot be compiled,
// the code and the token, against jsonata-js.
func TestBrokenDifferential(t *testing.T) {
	if *differential == 0 {
		t.Log("no expressions are broken; make differential does it")
		return
	}
	oracle := exec.Command("node", "--stack-size=4000", "testdata/oracle/answer.mjs")
	oracle.Stderr = os.Stderr
	in, err := oracle.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := oracle.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := oracle.Start(); err != nil {
		t.Fatal(err)
	}
	last := *differentialSeed + uint64(*differential)
	go func() {
		defer in.Close()
		for seed := *differentialSeed; seed < last; seed++ {
			line, _ := json.Marshal(map[string]any{"expr": broken(seed), "compile": true}) // plain values
			if _, err := in.Write(append(line, '\n')); err != nil {
				return
			}
		}
	}()
	counts := make(map[string]int)
	wrong := 0
	answers := bufio.NewScanner(out)
	for seed := *differentialSeed; seed < last && answers.Scan(); seed++ {
		var told complaint
		if err := json.Unmarshal(answers.Bytes(), &told); err != nil {
			t.Fatal(err)
		}
		expr := broken(seed)
		ours := complaintOf(expr)
		if reason := ours.differs(told, expr); reason != "" {
			counts[reason]++
			continue
		}
		if wrong++; wrong <= 40 {
			t.Errorf("seed %d: %s\n  ours   %s %v\n  theirs %s %v", seed, expr, ours.Message, ours, told.Message, answers.Text())
		}
	}
	if err := oracle.Wait(); err != nil {
		t.Error(err)
	}
	for reason, n := range counts {
		t.Logf("%7d %s", n, reason)
	}
	if wrong > 0 {
		t.Errorf("%d unexplained differences", wrong)
	}
}

// TestSyntaxErrors has what jsonata-js 2.2.2 tells of expressions that cannot be
// compiled: which token is blamed, and where.
func TestSyntaxErrors(t *testing.T) {
	for _, tt := range []struct {
		expr, message string
		position      int
		token         string
	}{
		{`"a`, `S0101: String literal must be terminated by a matching quote`, 2, ""},
		{`"\u12`, `S0101: String literal must be terminated by a matching quote`, 5, ""},
		{`$a(1e999)`, `S0102: Number out of range: "1e999"`, 3, "1e999"},
		{`"\q"`, `S0103: Unsupported escape sequence: \"q"`, 2, "q"},
		{`'\`, `S0103: Unsupported escape sequence: \""`, 2, ""},
		{`"\u12x4"`, `S0104: The escape sequence \u must be followed by 4 hex digits`, 2, ""},
		{"`a", "S0105: Quoted property name must be terminated with a backquote (`)", 2, ""},
		{`a /* b`, `S0106: Comment has no closing tag`, 2, ""},
		{`a b`, `S0201: Syntax error: "b"`, 3, "b"},
		{`a 1.50`, `S0201: Syntax error: 1.5`, 6, "1.50"},
		{`a "b"`, `S0201: Syntax error: "b"`, 5, "b"},
		{`[a true]`, `S0202: Expected "]", got true`, 7, "true"},
		{`$f(a;`, `S0202: Expected ")", got ";"`, 5, ";"},
		{`(a`, `S0203: Expected ")" before end of expression`, 2, "(end)"},
		{`{"a"`, `S0203: Expected ":" before end of expression`, 4, "(end)"},
		{`a ! b`, `S0204: Unknown operator: "!"`, 3, "!"},
		{`a ~ b`, `S0204: Unknown operator: "~"`, 3, "~"},
		{`a +`, `S0207: Unexpected end of expression`, 3, "(end)"},
		{``, `S0207: Unexpected end of expression`, 0, "(end)"},
		{`function(x){x}`, `S0208: Parameter 1 of function definition must be a variable name (start with $)`, 10, "x"},
		{`function($x, 2){$x}`, `S0208: Parameter 2 of function definition must be a variable name (start with $)`, 14, "2"},
		{`(a){'b':1}[0]`, `S0209: A predicate cannot follow a grouping expression in a step`, 11, ""},
		{`a{'b':1}{'c':2}`, `S0210: Each step can only have one grouping expression`, 9, ""},
		{`a + )`, `S0211: The symbol ")" cannot be used as a unary operator`, 5, ")"},
		{`[a, ]`, `S0211: The symbol "]" cannot be used as a unary operator`, 5, "]"},
		{`(?)`, `S0211: The symbol "?" cannot be used as a unary operator`, 2, "?"},
		{`:`, `S0211: The symbol ":" cannot be used as a unary operator`, 1, ":"},
		{`1 := 2`, `S0212: The left side of := must be a variable name (start with $)`, 1, "1"},
		{`a.1`, `S0213: The literal value 1 cannot be used as a step within a path expression`, 3, "1"},
		{`a@1`, `S0214: The right side of "@" must be a variable name (start with $)`, 3, "@"},
		{`a#b`, `S0214: The right side of "#" must be a variable name (start with $)`, 3, "#"},
		{`a[0]@$v`, `S0215: A context variable binding must precede any predicates on a step`, 5, ""},
		{`a^(b)@$v`, `S0216: A context variable binding must precede the 'order-by' clause on a step`, 6, ""},
		{`%`, `S0217: The object representing the 'parent' cannot be derived from this expression`, 1, "parent"},
		{`a.(1).%`, `S0217: The object representing the 'parent' cannot be derived from this expression`, 4, "number"},
		{`$f().%`, `S0217: The object representing the 'parent' cannot be derived from this expression`, 3, "function"},
		{`a.[b].%`, `S0217: The object representing the 'parent' cannot be derived from this expression`, 3, "unary"},
		{`a ~> //`, `S0301: Empty regular expressions are not allowed`, 6, ""},
		{`a ~> /b`, `S0302: No terminating / in regular expression`, 7, ""},
		{`function($x)<s<n>>{$x}`, `S0401: Type parameters can only be applied to functions and arrays`, 15, ""},
		{`function($x)<(s<n>)>{$x}`, `S0402: Choice groups containing parameterized types are not supported`, 14, ""},
	} {
		_, err := jsonata.Compile(tt.expr, jsonata.Options{})
		e, ok := errors.AsType[*jsonata.Error](err)
		if !ok || e.Error() != tt.message || e.Position != tt.position || e.Token != tt.token {
			t.Errorf("%s: %+v, want %s at %d (%s)", tt.expr, err, tt.message, tt.position, tt.token)
		}
	}
	for _, expr := range []string{"a{'b':1}[0]", "(or / x / y)", "a.**[%]", "and and or or in"} {
		if _, err := jsonata.Compile(expr, jsonata.Options{}); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
	}
}

// complaint is what is told of an expression; without a code it is as it should be.
type complaint struct {
	Code, Message string
	Position      *int // nil where the reference has none
	Token         any
}

func complaintOf(expr string) complaint {
	_, err := jsonata.Compile(expr, jsonata.Options{Coalescing: true})
	e, ok := errors.AsType[*jsonata.Error](err)
	if !ok {
		return complaint{}
	}
	return complaint{e.Code, e.Message, &e.Position, e.Token}
}

// differs gives "" for a difference that is not meant to be, and else how two
// complaints go together.
func (c complaint) differs(theirs complaint, expr string) string {
	there := c.Position == nil || theirs.Position == nil || *c.Position == *theirs.Position
	_, text := theirs.Token.(string) // others are in the message
	switch {
	case theirs.Code == "none":
		return "the reference crashes, or its regular expressions complain"
	case c.Code == theirs.Code && c.Message == theirs.Message && (!text || c.Token == theirs.Token) && there:
		return "equal"
	case c.Code == theirs.Code && c.Message == theirs.Message && value.UTF16Len(expr) > value.RuneCount(expr):
		return "equal but for the place, which counts characters here and UTF-16 units there"
	case c.Code == theirs.Code && c.Message == theirs.Message && *theirs.Position > value.UTF16Len(expr):
		return "equal but for the place, which is behind the end there"
	case c.Code == theirs.Code && strings.Contains(c.Message, "E21"):
		return "large numbers are shown as Java does"
	case strings.Contains(expr, "/") && (c.Code == "S0301" || c.Code == "S0302" || theirs.Token == "/"):
		return "a regular expression may stand wherever an operand may"
	}
	return ""
}
