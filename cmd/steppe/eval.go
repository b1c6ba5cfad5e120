package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

type evalCommand struct {
	Expression string `arg:"" help:"JSONata (with or without {% %}), a path ($.a), or an intrinsic function (States.…)."`
	Input      string `help:"The state's input, as JSON or @FILE; - is standard input." placeholder:"JSON" default:"{}"`
	Result     string `help:"The state's result ($states.result), as JSON or @FILE." placeholder:"JSON"`
	Context    string `help:"The Context Object, as JSON or @FILE." placeholder:"JSON" default:"{}"`
	Variables  string `help:"Variables, as a JSON object or @FILE." placeholder:"JSON" default:"{}"`
	Language   string `help:"jsonata or jsonpath; auto takes it from how the expression begins." enum:"auto,jsonata,jsonpath" default:"auto"`
}

// variablesOf looks variables up in an object.
type variablesOf struct{ value.Value }

// Lookup returns a variable.
func (v variablesOf) Lookup(name string) (value.Value, bool) { return v.Value.Lookup(name) }

// Run evaluates the expression and prints its value as JSON.
func (c *evalCommand) Run(con *console) error {
	scope := query.Scope{Millis: time.Now().UnixMilli(), Entropy: query.NewEntropy(uint64(time.Now().UnixNano()))}
	var context, variables value.Value
	for _, part := range []struct {
		flag, text string
		to         *value.Value
	}{{"--input", c.Input, &scope.Input}, {"--result", c.Result, &scope.Result}, {"--context", c.Context, &context}, {"--variables", c.Variables, &variables}} {
		if part.text == "" {
			continue
		}
		var err error
		if *part.to, err = jsonArgument(part.flag, part.text); err != nil {
			return err
		}
	}
	scope.Context = func() value.Value { return context }
	scope.Vars = variablesOf{variables}
	v, err := c.evaluate(&scope)
	if err != nil {
		return err
	}
	fmt.Fprintln(con.out, v)
	return nil
}

// jsonArgument reads JSON from an argument, or from the file that it names.
func jsonArgument(flag, text string) (value.Value, error) {
	given := text
	if text == "-" || text == "@-" {
		raw, err := io.ReadAll(os.Stdin)
		if err != nil {
			return value.Value{}, err
		}
		flag, text = "standard input", string(raw)
	} else if file, found := strings.CutPrefix(text, "@"); found {
		raw, err := os.ReadFile(file)
		if err != nil {
			return value.Value{}, err
		}
		flag, text = file, string(raw)
	}
	v, err := value.DecodeString(text)
	if err != nil {
		return v, fmt.Errorf("%s: %w%s", flag, err, fileHint(flag, given))
	}
	return v, nil
}

// fileHint is what to say of a value of a flag that is no JSON and names a file.
func fileHint(flag, text string) string {
	if _, err := os.Stat(text); err != nil || !strings.HasPrefix(flag, "--") {
		return ""
	}
	return "; did you mean " + flag + " @" + text + "?"
}

func (c *evalCommand) evaluate(scope *query.Scope) (value.Value, error) {
	text := strings.TrimSpace(c.Expression)
	if c.Language == "jsonpath" || c.Language == "auto" && isPath(text) {
		path, err := new(query.Compiler).Expr(text)
		if err != nil {
			return value.Value{}, err
		}
		v, err := path.Eval(scope)
		if err != nil {
			return v, path.NotFound("expression", scope.Input, err)
		}
		return v, nil
	}
	if !query.IsExpression(value.Str(text)) {
		text = "{% " + text + " %}"
	}
	template, err := new(query.Compiler).JSONata("expression", value.Str(text))
	if err != nil {
		return value.Value{}, err
	}
	v, err := template.Eval(scope)
	if err != nil {
		err = fmt.Errorf("%w%s", err, unknownFunctions(text))
	}
	return v, err
}

// unknownFunctions names the functions that an expression calls and that nobody
// has.
func unknownFunctions(text string) string {
	var b strings.Builder
	for _, d := range asl.LintExpression(text) {
		if d.Code == asl.UnknownFunction {
			b.WriteString("; " + strings.TrimSpace(d.Message+" "+d.Help))
		}
	}
	return b.String()
}

// isPath tells a path or an intrinsic function from JSONata by its beginning.
func isPath(text string) bool {
	for _, prefix := range []string{"$.", "$[", "$$.", "$$[", "States."} {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return text == "$" || text == "$$"
}
