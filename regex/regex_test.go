package regex_test

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/regex"
)

// all gives all matches that do not overlap and are not empty.
func all(t *testing.T, pattern, text string) (found [][]int) {
	t.Helper()
	r, err := regex.Compile(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var k regex.Machine
	for at := 0; at <= len(text); {
		m := k.Find(r, nil, text, at)
		if m == nil {
			return found
		}
		found = append(found, m)
		if at = m[1]; m[0] == m[1] {
			at++
		}
	}
	return found
}

// TestBesideRegexp makes up expressions and texts and holds the first match, and
// all of those without empty matches, against Go's.
func TestBesideRegexp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	atoms := []string{"a", "b", "é", ".", "[ab]", "[^a]", `\w`, `\b`, `\B`, "^", "$", `\z`, `\A`, "(?m:^)", "(?m:$)", "(?i:A)", "ab", "(a)", "(b|ab)", "(a|)", "x", "\n"}
	suffixes := []string{"", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?"}
	for n := range 30_000 {
		var pattern, text strings.Builder
		for range 1 + random.IntN(5) {
			atom := atoms[random.IntN(len(atoms))]
			suffix := suffixes[random.IntN(len(suffixes))]
			switch random.IntN(6) {
			case 0:
				pattern.WriteString("(" + atom + suffix + ")" + suffixes[random.IntN(len(suffixes))])
			case 1:
				pattern.WriteString("(?:" + atom + suffix + "|")
				pattern.WriteString(atoms[random.IntN(len(atoms))] + ")")
			default:
				pattern.WriteString("(?:" + atom + ")" + suffix)
			}
		}
		for range random.IntN(12) {
			text.WriteString([]string{"a", "b", "é", "A", "\n", " ", "x", "\xff"}[random.IntN(8)])
		}
		std, err := regexp.Compile(pattern.String())
		if err != nil {
			continue
		}
		want := std.FindAllStringSubmatchIndex(text.String(), -1)
		got := all(t, pattern.String(), text.String())
		hasEmpty := func(m []int) bool { return m[0] == m[1] }
		if slices.ContainsFunc(want, hasEmpty) || slices.ContainsFunc(got, hasEmpty) { // what follows an empty match is another matter
			want, got = want[:min(1, len(want))], got[:min(1, len(got))]
		}
		if !slices.EqualFunc(want, got, slices.Equal) {
			t.Fatalf("%d: %q in %q: %v, want %v", n, pattern.String(), text.String(), got, want)
		}
		r, err := regex.Compile(pattern.String())
		if err != nil || r.Match(nil, text.String()) != std.MatchString(text.String()) {
			t.Fatalf("%d: %q in %q: Match is not %v, %v", n, pattern.String(), text.String(), len(want) > 0, err)
		}
	}
}

// TestSearchIsCounted: what would take minutes is ended by the meter's limit, and
// by an interruption, wherever it stands.
func TestSearchIsCounted(t *testing.T) {
	for _, tt := range []struct{ pattern, text string }{
		{"((a{0,30}){0,30}b)", strings.Repeat("a", 200_000)},
		{"(.*)(.*)(.*)x", strings.Repeat("a", 500_000)},
		{`(\w{1,900}\d)`, strings.Repeat("é", 100_000) + strings.Repeat("a", 200_000)},
	} {
		r, err := regex.Compile(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		var k regex.Machine
		m := meter.New(meter.Config{Work: 1_000_000})
		err = ended(m, func() { k.Find(r, m, tt.text, 0) })
		if work, _ := m.Used(); !errors.Is(err, meter.ErrWork) || work > 1_100_000 {
			t.Errorf("%s: %v after %d", tt.pattern, err, work)
		}
		calls, interruption := 0, errors.New("stop")
		m = meter.New(meter.Config{PaceWork: 1000, Pace: func(_, _ int64) error {
			if calls++; calls == 50 {
				return interruption
			}
			return nil
		}})
		var stop *meter.Stop
		func() {
			defer func() { stop, _ = recover().(*meter.Stop) }()
			k.Find(r, m, tt.text, 0)
		}()
		if work, _ := m.Used(); stop == nil || !errors.Is(stop, interruption) || work > 200_000 {
			t.Errorf("%s: %v after %d", tt.pattern, stop, work)
		}
		// The machine is as good as new.
		if got := k.Find(r, nil, "b1x", 0); got == nil && r.Match(nil, "b1x") {
			t.Errorf("%s: nothing is found afterwards", tt.pattern)
		}
	}
}

func ended(m *meter.Meter, do func()) (err error) {
	defer m.Caught(&err)
	do()
	return nil
}

func TestSizeIsBounded(t *testing.T) {
	for _, pattern := range []string{"((a{0,100}){0,10}){0,100}", "(?:" + strings.Repeat("a{1000}", 11) + ")", strings.Repeat("x", 20_000)} {
		if _, err := regex.Compile(pattern); err == nil {
			t.Errorf("%.40s: it is taken", pattern)
		}
	}
	var s regex.Set
	var err error
	n := 0
	for ; err == nil && n < 10_000; n++ {
		_, err = s.Compile("((a{0,30}){0,30}" + strconv.Itoa(n) + ")")
	}
	if !errors.Is(err, regex.ErrTotal) || n > 100 || s.Weight() > 10<<20 {
		t.Errorf("%v after %d, %d bytes", err, n, s.Weight())
	}
	one, _ := s.Compile("((a{0,30}){0,30}0)")
	two, _ := s.Compile("((a{0,30}){0,30}0)")
	if one == nil || one != two {
		t.Error("equal expressions are not shared")
	}
}

func BenchmarkFind(b *testing.B) {
	text := strings.Repeat("some words and a number 12345, ", 4)
	for _, pattern := range []string{`[0-9]+`, `(\w+) (\w+)$`, `needle`} {
		b.Run(pattern, func(b *testing.B) {
			r, err := regex.Compile(pattern)
			if err != nil {
				b.Fatal(err)
			}
			var k regex.Machine
			b.ReportAllocs()
			for b.Loop() {
				k.Find(r, nil, text, 0)
			}
		})
	}
}
