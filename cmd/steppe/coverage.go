package main

import (
	"fmt"
	"slices"
	"sync"

	"github.com/steppehq/steppe/asl"
)

// coverage counts what cases came through: states, the ways out of Choice
// states, Retriers and Catchers.
type coverage struct {
	mu    *sync.Mutex
	parts []string // in the order of the definition
	seen  map[string]bool
}

func newCoverage(m *asl.StateMachine) coverage {
	c := coverage{mu: new(sync.Mutex), seen: make(map[string]bool)}
	m.Walk(func(st asl.State) {
		name := st.Base().Name
		c.parts = append(c.parts, statePart(name))
		var retriers []asl.Retrier
		var catchers []asl.Catcher
		switch st := st.(type) {
		case *asl.Choice:
			for i := range st.Choices {
				c.add(exitPart(name, st.Choices[i].Next))
			}
			if st.Default != "" {
				c.add(exitPart(name, st.Default))
			}
		case *asl.Task:
			retriers, catchers = st.Retry, st.Catch
		case *asl.Parallel:
			retriers, catchers = st.Retry, st.Catch
		case *asl.Map:
			retriers, catchers = st.Retry, st.Catch
		case *asl.Pass, *asl.Wait, *asl.Succeed, *asl.Fail:
		}
		for i := range retriers {
			c.add(retrierPart(name, int64(i)))
		}
		for i := range catchers {
			c.add(exitPart(name, catchers[i].Next))
		}
	})
	return c
}

// add enters a part once: two rules may lead to the same state.
func (c *coverage) add(part string) {
	if !slices.Contains(c.parts, part) {
		c.parts = append(c.parts, part)
	}
}

func statePart(name string) string { return "state " + name }

func exitPart(name, next string) string { return "way from " + name + " to " + next }

func retrierPart(name string, n int64) string { return fmt.Sprintf("retrier %d of %s", n+1, name) }

func (c *coverage) see(part string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[part] = true
}

func (c *coverage) entered(state string) { c.see(statePart(state)) }

// left notes that a state was left by a choice or a Catcher.
func (c *coverage) left(state, next string) { c.see(exitPart(state, next)) }

func (c *coverage) retried(state string, retrier int64) { c.see(retrierPart(state, retrier)) }

// report shows how much was come through, and what was not.
func (c *coverage) report(con *console, s *testSuite, missing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	covered := 0
	for _, part := range c.parts {
		if c.seen[part] {
			covered++
		}
	}
	fmt.Fprintf(con.out, "%s: %d of %d states, ways out, retriers and catchers covered\n", s.definition, covered, len(c.parts))
	for _, part := range c.parts {
		if missing && !c.seen[part] {
			fmt.Fprintf(con.out, "    not covered: %s\n", part)
		}
	}
}
