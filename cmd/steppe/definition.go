package main

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/value"
)

// definition is a definition as it stands in a file, JSON or YAML.
type definition struct {
	file   string
	source []byte
	json   []byte
	yaml   *yaml.Node // nil for JSON
	// filled is the source with what stands for ${NAME}.
	filled *substituted
	// doubled are the names that stand in an object more than once, of YAML.
	doubled []value.Duplicate
}

// noSubstitution is the code of the warning that nothing is given for a ${NAME}.
const noSubstitution asl.Code = "NO_SUBSTITUTION"

// findDefinition returns the definition file that a path means: the path itself,
// or in a folder the one file that ends in .asl.json, .asl.yaml or .asl.yml.
func findDefinition(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return path, err
	}
	var found []string
	for _, pattern := range []string{"*.asl.json", "*.asl.yaml", "*.asl.yml"} {
		matches, err := filepath.Glob(filepath.Join(path, pattern))
		if err != nil {
			return "", err
		}
		found = append(found, matches...)
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%s holds %d definitions (*.asl.json, *.asl.yaml); name the file", path, len(found))
	}
	return found[0], nil
}

// loadDefinition reads a definition, and puts in what stands for ${NAME}.
func loadDefinition(file string, values substitutions) (*definition, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := &definition{file: file, source: source}
	if ext := strings.ToLower(filepath.Ext(file)); ext != ".yaml" && ext != ".yml" {
		d.filled = values.apply(source, jsonQuoted)
		d.json = d.filled.text
		return d, nil
	}
	d.filled = values.apply(source, func(text string) string { return text })
	var root yaml.Node
	if err := yaml.Unmarshal(d.filled.text, &root); err != nil {
		return nil, fmt.Errorf("%s: %w", file, plainYAML(err))
	}
	if len(root.Content) != 1 {
		return nil, fmt.Errorf("%s: it holds no definition", file)
	}
	d.yaml = root.Content[0]
	reader := new(yamlReader)
	v, err := reader.value(d.yaml, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	d.json, d.doubled = v.Append(nil), reader.doubled
	return d, nil
}

// validate examines the definition.
func (d *definition) validate(opts asl.ValidateOptions) asl.Report {
	report := asl.Validate(d.json, opts)
	if !opts.Warnings {
		return report
	}
	for _, twice := range d.doubled {
		report.Diagnostics = append(report.Diagnostics, asl.Diagnostic{
			Severity: asl.SeverityWarning, Code: asl.DuplicateMember, Path: twice.Path, Help: "take one of them out, or give it another name",
			Message: fmt.Sprintf("The name '%s' stands in this object more than once, first at line %d, column %d; only this one is taken.", twice.Path[len(twice.Path)-1], twice.First.Line, twice.First.Column),
		})
	}
	for _, name := range d.filled.unsubstituted() {
		report.Diagnostics = append(report.Diagnostics, asl.Diagnostic{
			Severity: asl.SeverityWarning, Code: noSubstitution, Path: []string{name}, Message: "Nothing is given for ${" + name + "}: it stands for itself.",
			Help: "say what it stands for: --substitutions " + name + "=…",
		})
	}
	return report
}

// maxYAMLNodes bounds what the aliases of a small document can grow to.
const maxYAMLNodes = 1_000_000

// yamlReader turns a YAML document into the value that the same JSON would give,
// members in their order.
type yamlReader struct {
	nodes   int
	doubled []value.Duplicate
}

func (r *yamlReader) value(n *yaml.Node, path []string) (value.Value, error) {
	if r.nodes++; r.nodes > maxYAMLNodes {
		return value.Value{}, fmt.Errorf("line %d: its aliases grow to more than %d values", n.Line, maxYAMLNodes)
	}
	if len(path) > value.MaxDepth {
		return value.Value{}, fmt.Errorf("line %d: %w", n.Line, value.ErrTooDeep)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return r.value(n.Alias, append(path, "")) // as deep as what it stands for
	case yaml.SequenceNode:
		items := make([]value.Value, len(n.Content))
		for i, item := range n.Content {
			var err error
			if items[i], err = r.value(item, append(path, strconv.Itoa(i))); err != nil {
				return value.Value{}, err
			}
		}
		return value.Arr(items...), nil
	case yaml.MappingNode:
		return r.object(n, path)
	case yaml.ScalarNode, yaml.DocumentNode:
	}
	return scalar(n)
}

func (r *yamlReader) object(n *yaml.Node, path []string) (value.Value, error) {
	object := value.NewObject(len(n.Content) / 2)
	first := make(map[string]*yaml.Node)
	for _, m := range merged(n) {
		key := m.key
		here := append(path, key.Value)
		v, err := r.value(m.item, here)
		if err != nil {
			return value.Value{}, err
		}
		if before := first[key.Value]; before != nil {
			r.doubled = append(r.doubled, value.Duplicate{Path: slices.Clone(here), First: positionOf(before), Last: positionOf(key)})
		} else {
			first[key.Value] = key
		}
		object.Set(key.Value, v)
	}
	return object.Value(), nil
}

func positionOf(n *yaml.Node) value.Position { return value.Position{Line: n.Line, Column: n.Column} }

func scalar(n *yaml.Node) (value.Value, error) {
	switch n.ShortTag() {
	case "!!null":
		return value.NullValue, nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return value.Of(b), err
	case "!!int", "!!float":
		return number(n)
	}
	return value.Str(n.Value), nil // timestamps too: the language has them as text
}

// number returns a number as exactly as JSON does: with all its digits. What YAML
// writes in its own ways becomes what it is.
func number(n *yaml.Node) (value.Value, error) {
	if v, err := value.DecodeString(n.Value); err == nil && v.Kind() == value.Number {
		return v, nil
	}
	if whole, ok := new(big.Int).SetString(n.Value, 0); ok && n.ShortTag() == "!!int" {
		return value.Num(whole.String()), nil
	}
	var f float64
	if err := n.Decode(&f); err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return value.Value{}, fmt.Errorf("line %d: JSON has no number %s", n.Line, n.Value)
	}
	return value.Float(f), nil
}

// locate returns the place of a diagnostic in the file.
func (d *definition) locate(diagnostic asl.Diagnostic) value.Position {
	if diagnostic.Code == noSubstitution {
		return d.placeholder(diagnostic)
	}
	if d.yaml == nil {
		return d.filled.place(d.source, diagnostic.Locate(d.json))
	}
	at := d.yaml
	place := at
	for _, part := range diagnostic.Path {
		next, shown := childOf(at, part)
		if next == nil {
			break
		}
		at, place = next, shown
	}
	return d.filled.place(d.source, positionOf(place))
}

// placeholder returns the first place of a ${NAME} for which nothing is given.
func (d *definition) placeholder(diagnostic asl.Diagnostic) value.Position {
	return value.PositionAt(d.source, bytes.Index(d.source, []byte("${"+diagnostic.Path[0]+"}")))
}

// childOf returns the member or item of a node, and the node to show for it.
func childOf(n *yaml.Node, part string) (child, shown *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := len(n.Content) - 2; i >= 0; i -= 2 { // of two of a name the last one is taken
			if n.Content[i].Value == part {
				return n.Content[i+1], n.Content[i]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(part); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], n.Content[i]
		}
	case yaml.ScalarNode, yaml.AliasNode, yaml.DocumentNode:
	}
	return nil, nil
}

// line returns a line of the file, counted from 1.
func (d *definition) line(n int) string {
	lines := strings.Split(string(d.source), "\n")
	if n < 1 || n > len(lines) {
		return ""
	}
	return strings.TrimRight(lines[n-1], "\r")
}
