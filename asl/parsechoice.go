package asl

import (
	"slices"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// itoa is an index as a part of a path.
func itoa(n int) string { return strconv.Itoa(n) }

// readChoice reads a Choice state. A rule has the flow of the state unless it has its
// own Assign, and in JSONata its own Output.
func readChoice(o *object, b Common) State {
	st := &Choice{Common: b}
	o.require("Choices")
	o.flow(&st.Common, "InputPath", "OutputPath", "Assign")
	st.Default = o.str("Default")
	o.each("Choices", func(v value.Value, path []string) {
		if v.Kind() != value.Object {
			o.p.fail(path, "%s", expected(value.Object))
			return
		}
		rule := o.p.object(v, path)
		rule.require("Next")
		entry := ChoiceRule{Next: rule.str("Next"), Flow: st.Flow}
		rule.str("Comment")
		rule.languageFields(b.Language, []string{"Variable", "And", "Or", "Not"}, []string{"Condition", "Output"})
		if b.Language == query.JSONata {
			rule.require("Condition")
			if v, ok := rule.get("Condition"); ok && v.Kind() != value.Bool && !query.IsExpression(v) {
				rule.fail("Condition", "Expected value of type [BOOLEAN]")
			}
			entry.Condition = rule.made("Condition")
			if rule.has("Assign") {
				entry.Flow.Assign = rule.assign(b.Language)
			}
			if rule.has("Output") {
				entry.Flow.Output = rule.made("Output")
			}
		} else {
			if rule.has("Assign") {
				entry.Flow.Assign = rule.assign(b.Language)
			}
			entry.Rule = o.p.rule(rule, 1)
		}
		rule.done()
		st.Choices = append(st.Choices, entry)
	})
	return st
}

// rule reads a data-test expression: And, Or, Not or a comparison, exactly one of
// them. AWS's message names Condition as well, although that is JSONata's.
func (p *parser) rule(o *object, depth int) Rule {
	if depth > maxNesting {
		p.report(SeverityError, TooDeeplyNested, o.path, "Choice rules are nested too deeply")
		return nil
	}
	selected := 0
	for _, field := range []string{"And", "Or", "Not", "Variable"} {
		if _, ok := o.get(field); ok {
			selected++
		}
	}
	if selected != 1 {
		p.fail(o.path, "The object must have only one of the following fields, [And, Or, Not, Variable, Condition]")
		o.all = true // this is said instead of what they are
		return nil
	}
	switch {
	case o.has("And"):
		return &And{p.rules(o, "And", depth)}
	case o.has("Or"):
		return &Or{p.rules(o, "Or", depth)}
	case o.has("Not"):
		v, ok := o.of("Not", value.Object)
		if !ok {
			return nil
		}
		return &Not{p.nested(v, o.at("Not"), depth)}
	}
	return p.comparison(o)
}

// rules reads the rules inside of And and Or.
func (p *parser) rules(o *object, field string, depth int) []Rule {
	var rules []Rule
	o.each(field, func(v value.Value, path []string) {
		if v.Kind() != value.Object {
			p.fail(path, "%s", expected(value.Object))
			return
		}
		rules = append(rules, p.nested(v, path, depth))
	})
	return rules
}

// nested reads a rule inside of another one. It has no Next: only the outermost rule
// leads to a state.
func (p *parser) nested(v value.Value, path []string, depth int) Rule {
	o := p.object(v, path)
	o.str("Comment")
	rule := p.rule(o, depth+1)
	o.done()
	return rule
}

// comparison reads Variable and the one operator. Which operators there are is known
// from the table only, so a field of the object is looked up in it, with and without
// Path at its end.
func (p *parser) comparison(o *object) Rule {
	c := &Comparison{}
	if text, ok := o.of("Variable", value.String); ok && !strings.HasPrefix(text.Str(), "$") {
		o.fail("Variable", "Value is not a Reference Path: Reference path didn't start with '$'")
	} else {
		c.Variable = o.pathField("Variable")
	}
	var found []string
	for _, name := range o.value.Names() {
		operator, isPath := operators[name], false
		if operator == nil {
			var base string
			if base, isPath = strings.CutSuffix(name, "Path"); isPath {
				operator = operators[base]
			}
		}
		if operator == nil || isPath && !operator.takesPath {
			continue
		}
		found = append(found, name)
		c.Operator = operator
		if isPath {
			c.Path = o.pathField(name)
			continue
		}
		v, _ := o.get(name)
		if !operator.accepts(v) {
			o.fail(name, "%s", operator.wants)
		}
		o.lookForPath(name, v.Str())
		c.Operand = v
	}
	switch {
	case len(found) == 0:
		p.fail(o.path, "This object should have only one of the following fields: [%s]", strings.Join(operatorNames(), ", "))
	case len(found) > 1:
		p.fail(o.path, "There should only be one of the following fields: [%s]", strings.Join(found, ", "))
	}
	return c
}

// operatorNames returns the fields that compare, in alphabetical order.
func operatorNames() []string {
	var names []string
	for name, operator := range operators {
		names = append(names, name)
		if operator.takesPath {
			names = append(names, name+"Path")
		}
	}
	slices.Sort(names)
	return names
}
