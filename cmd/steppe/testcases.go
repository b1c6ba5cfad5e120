package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	yaml "go.yaml.in/yaml/v3"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/integration/mock"
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

	steps map[string][]mock.Step
}

// mockStep is what one attempt of a task returns: a result, the payload of a
// function's answer, or an error.
type mockStep struct {
	Result  yaml.Node `yaml:"result"`
	Payload yaml.Node `yaml:"payload"`
	Error   string    `yaml:"error"`
	Cause   string    `yaml:"cause"`
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
	c.steps = make(map[string][]mock.Step, len(c.Mocks))
	for state, steps := range c.Mocks {
		for i := range steps {
			step, err := steps[i].read()
			if err != nil {
				return fmt.Errorf("mocks of %s, number %d: %w", state, i+1, err)
			}
			c.steps[state] = append(c.steps[state], step)
		}
	}
	var err error
	c.Expect.output, err = yamlValue(&c.Expect.Output)
	return err
}

// read returns what the attempt returns.
func (m *mockStep) read() (mock.Step, error) {
	result, err := yamlValue(&m.Result)
	if err != nil {
		return mock.Step{}, err
	}
	payload, err := yamlValue(&m.Payload)
	if err != nil {
		return mock.Step{}, err
	}
	given := 0
	for _, there := range []bool{!result.IsUndefined(), !payload.IsUndefined(), m.Error != ""} {
		if there {
			given++
		}
	}
	if given != 1 {
		return mock.Step{}, errors.New("give one of result, payload and error")
	}
	if !payload.IsUndefined() {
		result = value.Obj(
			value.Member{Name: "ExecutedVersion", Value: value.Str("$LATEST")},
			value.Member{Name: "Payload", Value: payload},
			value.Member{Name: "StatusCode", Value: value.Int(200)},
		)
	}
	return mock.Step{Result: result, Error: m.Error, Cause: m.Cause}, nil
}

// yamlValue is a YAML value as JSON has it; undefined where there is none.
func yamlValue(n *yaml.Node) (value.Value, error) {
	if n.Kind == 0 {
		return value.Value{}, nil
	}
	return new(yamlReader).value(n, nil)
}

// localCases returns the cases of a MockConfigFile.json: those of each state
// machine run the definition of that name that stands beside it.
func localCases(file string, text []byte) ([]*testSuite, error) {
	config, err := mock.ReadConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var suites []*testSuite
	for _, machine := range sortedKeys(config) {
		s := &testSuite{file: file, definition: beside(file, machine)}
		for _, name := range sortedKeys(config[machine]) {
			c := testCase{Name: machine + "#" + name, steps: config[machine][name]}
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
	config, err := mock.ReadConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(config)), func(cases map[string]map[string][]mock.Step) bool { return len(cases) > 0 }) {
		return nil, fmt.Errorf("%s: it has no test cases (StateMachines: {NAME: {TestCases: …}})", file)
	}
	return func(machine, testCase string) steppe.TestCase {
		steps, ok := config[machine][testCase]
		if !ok {
			return nil
		}
		return mock.New(steps)
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

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
