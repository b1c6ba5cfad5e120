package main

import (
	"fmt"
	"os"
	"path/filepath"
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
}

// findDefinition gives the definition file that a path means: the path itself,
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

func loadDefinition(file string) (*definition, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := &definition{file: file, source: source, json: source}
	if ext := strings.ToLower(filepath.Ext(file)); ext != ".yaml" && ext != ".yml" {
		return d, nil
	}
	var root yaml.Node
	if err := yaml.Unmarshal(source, &root); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(root.Content) != 1 {
		return nil, fmt.Errorf("%s: it holds no definition", file)
	}
	d.yaml = root.Content[0]
	v, err := new(yamlReader).value(d.yaml, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	d.json = v.Append(nil)
	return d, nil
}

// maxYAMLNodes bounds what the aliases of a small document can grow to.
const maxYAMLNodes = 1_000_000

// yamlReader turns a YAML document into the value that the same JSON would give,
// members in their order.
type yamlReader struct{ nodes int }

func (r *yamlReader) value(n *yaml.Node, depth int) (value.Value, error) {
	if r.nodes++; r.nodes > maxYAMLNodes {
		return value.Value{}, fmt.Errorf("line %d: its aliases grow to more than %d values", n.Line, maxYAMLNodes)
	}
	if depth > value.MaxDepth {
		return value.Value{}, fmt.Errorf("line %d: %w", n.Line, value.ErrTooDeep)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return r.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		items := make([]value.Value, len(n.Content))
		for i, item := range n.Content {
			var err error
			if items[i], err = r.value(item, depth+1); err != nil {
				return value.Value{}, err
			}
		}
		return value.Arr(items...), nil
	case yaml.MappingNode:
		object := value.NewObject(len(n.Content) / 2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := r.value(n.Content[i+1], depth+1)
			if err != nil {
				return value.Value{}, err
			}
			object.Set(n.Content[i].Value, v)
		}
		return object.Value(), nil
	case yaml.ScalarNode, yaml.DocumentNode:
	}
	return scalar(n)
}

func scalar(n *yaml.Node) (value.Value, error) {
	switch n.ShortTag() {
	case "!!null":
		return value.NullValue, nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return value.Of(b), err
	case "!!int":
		var i int64
		err := n.Decode(&i)
		return value.Int(i), err
	case "!!float":
		if v, err := value.DecodeString(n.Value); err == nil && v.Kind() == value.Number {
			return v, nil
		}
		var f float64
		err := n.Decode(&f)
		return value.Float(f), err
	}
	return value.Str(n.Value), nil // timestamps too: the language has them as text
}

// locate gives the place of a diagnostic in the file.
func (d *definition) locate(diagnostic asl.Diagnostic) value.Position {
	if d.yaml == nil {
		return diagnostic.Locate(d.source)
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
	return value.Position{Line: place.Line, Column: place.Column}
}

// childOf gives the member or item of a node, and the node to show for it.
func childOf(n *yaml.Node, part string) (child, shown *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
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

// line gives a line of the file, counted from 1.
func (d *definition) line(n int) string {
	lines := strings.Split(string(d.source), "\n")
	if n < 1 || n > len(lines) {
		return ""
	}
	return strings.TrimRight(lines[n-1], "\r")
}
