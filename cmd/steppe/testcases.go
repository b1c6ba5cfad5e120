package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/value"
)

// testFile is a file of cases for a definition.
type testFile struct {
	// Definition is relative to the file; where it is missing, the one
	// definition of the file's folder.
	Definition string `yaml:"definition"`
	// Substitutions say what stands for ${NAME} in the definition.
	Substitutions substitutions `yaml:"substitutions"`
	Cases         []testCase    `yaml:"cases"`
}

// testCase is one run of the definition.
type testCase struct {
	Name  string    `yaml:"name"`
	Input yaml.Node `yaml:"input"`
	// Mocks has for each Task state what its attempts give, one after the other;
	// the last one stands for all that follow.
	Mocks  map[string][]mockStep `yaml:"mocks"`
	Expect expectation           `yaml:"expect"`
}

// mockStep is what one attempt of a task gives: a result, the payload of a
// function's answer, or an error.
type mockStep struct {
	Result  yaml.Node `yaml:"result"`
	Payload yaml.Node `yaml:"payload"`
	Error   string    `yaml:"error"`
	Cause   string    `yaml:"cause"`

	given value.Value
}

// expectation is what must be at the end. What is left out may be anything; a
// case without error expects success.
type expectation struct {
	Output yaml.Node `yaml:"output"`
	Error  string    `yaml:"error"`
	Cause  string    `yaml:"cause"`
	// Path is the states in the order in which they are entered.
	Path []string `yaml:"path"`

	output value.Value
}

// loadCases reads a file of cases: YAML, or the MockConfigFile.json of Step
// Functions Local.
func loadCases(file string) ([]*testSuite, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if filepath.Ext(file) == ".json" && bytes.Contains(text, []byte(`"StateMachines"`)) {
		return localCases(file, text)
	}
	var f testFile
	if err := decodeYAML(text, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	definition := filepath.Dir(file)
	if f.Definition != "" {
		definition = filepath.Join(definition, f.Definition)
	}
	for i := range f.Cases {
		c := &f.Cases[i]
		if c.Name == "" {
			return nil, fmt.Errorf("%s: case %d has no name", file, i+1)
		}
		if err := c.read(); err != nil {
			return nil, fmt.Errorf("%s: case %s: %w", file, c.Name, err)
		}
	}
	return []*testSuite{{file: file, definition: definition, substitutions: f.Substitutions, cases: f.Cases}}, nil
}

// read turns the values of a case into what they stand for.
func (c *testCase) read() error {
	for state, steps := range c.Mocks {
		for i := range steps {
			if err := steps[i].read(); err != nil {
				return fmt.Errorf("mocks of %s, number %d: %w", state, i+1, err)
			}
		}
	}
	var err error
	c.Expect.output, err = yamlValue(&c.Expect.Output)
	return err
}

func (m *mockStep) read() error {
	result, err := yamlValue(&m.Result)
	if err != nil {
		return err
	}
	payload, err := yamlValue(&m.Payload)
	if err != nil {
		return err
	}
	given := 0
	for _, there := range []bool{!result.IsUndefined(), !payload.IsUndefined(), m.Error != ""} {
		if there {
			given++
		}
	}
	if given != 1 {
		return errors.New("give one of result, payload and error")
	}
	m.given = result
	if !payload.IsUndefined() {
		m.given = value.Obj(
			value.Member{Name: "ExecutedVersion", Value: value.Str("$LATEST")},
			value.Member{Name: "Payload", Value: payload},
			value.Member{Name: "StatusCode", Value: value.Int(200)},
		)
	}
	return nil
}

// yamlValue is a YAML value as JSON has it; undefined where there is none.
func yamlValue(n *yaml.Node) (value.Value, error) {
	if n.Kind == 0 {
		return value.Value{}, nil
	}
	return new(yamlReader).value(n, nil)
}

// localConfig is the MockConfigFile.json of Step Functions Local.
type localConfig struct {
	StateMachines map[string]struct {
		TestCases map[string]map[string]string
	}
	MockedResponses map[string]map[string]struct {
		Return json.RawMessage
		Throw  *struct{ Error, Cause string }
	}
}

// plainJSON is an error of the JSON library in words of JSON.
func plainJSON(text []byte, err error) error {
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		at := value.PositionAt(text, int(kind.Offset))
		wanted := "an object is wanted"
		if kind.Type.Kind() == reflect.String {
			wanted = "a text is wanted"
		}
		return fmt.Errorf("line %d: %s: %s, not %s", at.Line, kind.Field, wanted, kind.Value)
	}
	if _, broken := value.Decode(text); broken != nil {
		return broken
	}
	return err
}

// localCases gives the cases of a MockConfigFile.json: those of each state
// machine run the definition of that name that stands beside it.
func localCases(file string, text []byte) ([]*testSuite, error) {
	var config localConfig
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("%s: %w", file, plainJSON(text, err))
	}
	var suites []*testSuite
	for _, machine := range sortedKeys(config.StateMachines) {
		s := &testSuite{file: file, definition: beside(file, machine)}
		cases := config.StateMachines[machine].TestCases
		for _, name := range sortedKeys(cases) {
			c := testCase{Name: machine + "#" + name, Mocks: make(map[string][]mockStep)}
			for state, response := range cases[name] {
				steps, err := config.steps(response)
				if err != nil {
					return nil, fmt.Errorf("%s: case %s: %w", file, c.Name, err)
				}
				c.Mocks[state] = steps
			}
			c.Expect.Error = anyEnd
			s.cases = append(s.cases, c)
		}
		suites = append(suites, s)
	}
	return suites, nil
}

// loadMockConfig reads a MockConfigFile.json for a server: it makes the mocks of a
// test case of a state machine, nil where there is none.
func loadMockConfig(file string) (func(machine, testCase string) steppe.TestCase, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	suites, err := localCases(file, text)
	if err != nil {
		return nil, err
	}
	cases := make(map[string]map[string][]mockStep)
	for _, s := range suites {
		for _, c := range s.cases {
			cases[c.Name] = c.Mocks
		}
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("%s: it has no test cases (StateMachines: {NAME: {TestCases: …}})", file)
	}
	return func(machine, testCase string) steppe.TestCase {
		steps, ok := cases[machine+"#"+testCase]
		if !ok {
			return nil
		}
		return &mocks{steps: steps, used: make(map[string]int)}
	}, nil
}

// beside finds the definition of a name beside a file.
func beside(file, name string) string {
	for _, extension := range []string{".asl.json", ".asl.yaml", ".asl.yml", ".json"} {
		path := filepath.Join(filepath.Dir(file), name+extension)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return filepath.Join(filepath.Dir(file), name+".asl.json")
}

// steps gives what the attempts of a mocked response give: its keys number
// them, one ("0") or some ("1-2").
func (c *localConfig) steps(name string) ([]mockStep, error) {
	responses, ok := c.MockedResponses[name]
	if !ok {
		return nil, fmt.Errorf("there is no mocked response %q", name)
	}
	var steps []mockStep
	for key, r := range responses {
		low, high, ranged := strings.Cut(key, "-")
		first, err := strconv.Atoi(low)
		last := first
		if err == nil && ranged {
			last, err = strconv.Atoi(high)
		}
		if err != nil || first < 0 || last < first || last > 1000 {
			return nil, fmt.Errorf("mocked response %q: %q is no number of an attempt", name, key)
		}
		var step mockStep
		switch {
		case r.Throw != nil:
			step.Error, step.Cause = r.Throw.Error, r.Throw.Cause
		default:
			if step.given, err = value.Decode(r.Return); err != nil {
				return nil, fmt.Errorf("mocked response %q: %w", name, err)
			}
		}
		for len(steps) <= last {
			steps = append(steps, mockStep{})
		}
		for i := first; i <= last; i++ {
			steps[i] = step
		}
	}
	return steps, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
