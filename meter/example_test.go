package meter_test

import (
	"fmt"
	"strings"

	"github.com/steppehq/steppe/meter"
)

// repeated is a function whose cost depends on what it is given. It counts before
// it builds, and makes an error of a limit where it is entered.
func repeated(m *meter.Meter, text string, times int) (all string, err error) {
	defer m.Caught(&err)
	m.Hold(int64(len(text) * times))
	m.Work(int64(times))
	return strings.Repeat(text, times), nil
}

// A meter bounds what is built: what would be too much is never built.
func Example() {
	m := meter.New(meter.Config{Bytes: 1 << 20})
	text, err := repeated(m, "ab", 3)
	fmt.Println(text, err)
	_, err = repeated(m, "ab", 1<<40)
	fmt.Println(err)
	work, peak := m.Used()
	fmt.Println(work, peak)
	// Output:
	// ababab <nil>
	// the evaluation builds too much
	// 3 6
}
