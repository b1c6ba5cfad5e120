package regex_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/regex"
)

// A Machine is the memory of searches, which may begin anywhere in a text.
func Example() {
	re, err := regex.Compile(`(\w+)@(\w+)`)
	if err != nil {
		fmt.Println(err)
		return
	}
	var machine regex.Machine
	text := "ann@one, bob@two"
	for at := 0; ; {
		found := machine.Find(re, nil, text, at)
		if found == nil {
			break
		}
		fmt.Println(text[found[2]:found[3]], "at", text[found[4]:found[5]])
		at = found[1]
	}
	// Output:
	// ann at one
	// bob at two
}

// A search is counted by a meter, and ended at its limit.
func ExampleMachine_Find() {
	re, err := regex.Compile(`(a|b)*c`)
	if err != nil {
		fmt.Println(err)
		return
	}
	m := meter.New(meter.Config{Work: 10_000})
	find := func(text string) (found []int, err error) {
		defer m.Caught(&err)
		var machine regex.Machine
		return machine.Find(re, m, text, 0), nil
	}
	found, err := find("xxabac")
	fmt.Println(found, err)
	_, err = find(strings.Repeat("ab", 1<<20))
	fmt.Println(errors.Is(err, meter.ErrWork), err)
	// Output:
	// [2 6 4 5] <nil>
	// true the evaluation takes too long
}
