package mock

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/value"
)

// Config is what a MockConfigFile.json of Step Functions Local says: for each state
// machine and test case, what the attempts of its states return.
type Config map[string]map[string]map[string][]Step

// configFile is the form of the file.
type configFile struct {
	StateMachines map[string]struct {
		TestCases map[string]map[string]string
	}
	MockedResponses map[string]map[string]struct {
		Return json.RawMessage
		Throw  *struct{ Error, Cause string }
	}
}

// maxAttempts bounds the numbers of attempts in a file.
const maxAttempts = 1000

// ReadConfig reads a MockConfigFile.json ("Testing state machines with Step Functions Local",
// "Mocked service integrations"). The error names the place in the file.
func ReadConfig(text []byte) (Config, error) {
	var file configFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, plainJSON(text, err)
	}
	config := make(Config, len(file.StateMachines))
	for _, machine := range slices.Sorted(maps.Keys(file.StateMachines)) {
		cases := file.StateMachines[machine].TestCases
		config[machine] = make(map[string]map[string][]Step, len(cases))
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			steps := make(map[string][]Step, len(cases[name]))
			for _, state := range slices.Sorted(maps.Keys(cases[name])) {
				var err error
				if steps[state], err = file.steps(cases[name][state]); err != nil {
					return nil, fmt.Errorf("case %s#%s: %w", machine, name, err)
				}
			}
			config[machine][name] = steps
		}
	}
	return config, nil
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

// steps returns what the attempts of a mocked response return: its keys number
// them, one ("0") or some ("1-2").
func (f *configFile) steps(name string) ([]Step, error) {
	responses, ok := f.MockedResponses[name]
	if !ok {
		return nil, fmt.Errorf("there is no mocked response %q", name)
	}
	var steps []Step
	for key, r := range responses {
		low, high, ranged := strings.Cut(key, "-")
		first, err := strconv.Atoi(low)
		last := first
		if err == nil && ranged {
			last, err = strconv.Atoi(high)
		}
		if err != nil || first < 0 || last < first || last > maxAttempts {
			return nil, fmt.Errorf("mocked response %q: %q is no number of an attempt", name, key)
		}
		var step Step
		switch {
		case r.Throw != nil:
			step.Error, step.Cause = r.Throw.Error, r.Throw.Cause
		default:
			if step.Result, err = value.Decode(r.Return); err != nil {
				return nil, fmt.Errorf("mocked response %q: %w", name, err)
			}
		}
		for len(steps) <= last {
			steps = append(steps, Step{})
		}
		for i := first; i <= last; i++ {
			steps[i] = step
		}
	}
	return steps, nil
}
