package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/pebble"
	"github.com/steppehq/steppe/stored"
)

// check looks at everything after all has come to its end; and again after it
// has expired.
func (s *simulation) check() {
	n := s.nodes[0]
	for _, arn := range s.arns {
		if x := s.truth.byARN[arn]; x != nil {
			s.checkExecution(n, x)
		} else if !s.truth.retired[arn] {
			s.wrong("%s was acknowledged, and is not there", arn)
		}
	}
	for _, x := range s.truth.executions {
		if x.express {
			s.checkExpress(x)
		}
	}
	for number := range s.truth.machines {
		s.checkList(number)
	}
	s.checkCatalogue(n)
	s.checkJobs()
}

// checkExpress: it has ended as the language says, or at its limit.
func (s *simulation) checkExpress(x *known) {
	last := &x.events[len(x.events)-1]
	number, _ := x.events[0].Input.Value().Get("n").Int64()
	switch want := fmt.Sprintf(`{"twice":%d}`, 4*number); {
	case x.status == store.TimedOut:
	case x.status != store.Succeeded:
		s.wrong("%s: %v %+v", x.arn, x.status, last.Failure)
	case last.Output.String() != want:
		s.wrong("%s:\n got %s\nwant %s", x.arn, last.Output, want)
	}
}

// checkList: the list of a machine has its executions as they are, the newest
// first.
func (s *simulation) checkList(number uint32) {
	var before *store.Record
	listed := 0
	query := store.ListQuery{Groups: []uint32{number}, Limit: 3}
	for more := true; more; {
		var (
			page []store.Record
			err  error
		)
		if page, more, err = s.base.List(s.ctx, query); err != nil {
			s.wrong("list: %v", err)
		}
		for i := range page {
			r := &page[i]
			x := s.truth.executions[r.ID]
			if x == nil || x.machine != number || x.status != r.Status || before != nil && before.Start.Before(r.Start) {
				s.wrong("the list of machine %d has %+v; it is %+v", number, r, x)
			}
			before, query.After = r, new(r.Place())
			listed++
		}
	}
	for _, x := range s.truth.executions {
		if x.machine == number && !x.express {
			listed--
		}
	}
	if listed != 0 {
		s.wrong("the list of machine %d has %+d executions", number, listed)
	}
}

// checkExecution: it has ended as the language says, or was aborted and its
// machine deleted. It is stored as it was written.
func (s *simulation) checkExecution(n *node, x *known) {
	d, err := n.Describe(s.ctx, x.arn)
	if err != nil {
		s.wrong("%s: %v", x.arn, err)
		return
	}
	number, _ := x.events[0].Input.Value().Get("n").Int64()
	want := expected(int(number), x.madeBy())
	switch {
	case d.Status != store.Succeeded && !s.truth.gone[x.machine]:
		s.wrong("%s: %v %+v", x.arn, d.Status, d.Failure)
	case d.Status == store.Succeeded && d.Output.String() != want:
		s.wrong("%s:\n got %s\nwant %s", x.arn, d.Output, want)
	}
	if x.fork != nil {
		s.checkFork(n, d, x.fork)
	}
	s.checkStored(n, x, d)
}

// madeBy is the edition that made the output: that of a fork's origin when it had
// come so far.
func (x *known) madeBy() int {
	if x.fork != nil {
		for _, ev := range x.events[:x.fork.Event] {
			if ev.Type == history.PassStateExited && ev.Name == "Sum" {
				edition, _ := ev.Output.Value().Get("edition").Int64()
				return int(edition)
			}
		}
	}
	return x.edition
}

// checkFork: fork and origin know of each other.
func (s *simulation) checkFork(n *node, d *stored.Description, from *history.Fork) {
	if d.Fork == nil || *d.Fork != *from {
		s.wrong("%s is a fork of %v, and tells of %v", d.ARN, from, d.Fork)
		return
	}
	origin := s.truth.byARN[from.ExecutionArn]
	if origin == nil || origin.start.After(d.Start) {
		return // it was forgotten
	}
	o, err := n.Describe(s.ctx, origin.arn)
	if err != nil {
		s.wrong("%s: %v", origin.arn, err)
		return
	}
	forks, err := n.Forks(s.ctx, o)
	if err != nil || !slices.ContainsFunc(forks, func(f *stored.Description) bool { return f.ARN == d.ARN }) {
		s.wrong("%s does not know of its fork %s: %v", origin.arn, d.ARN, err)
	}
}

// checkStored: what the store has is what was written, and a replay of it ends
// as the execution has.
func (s *simulation) checkStored(n *node, x *known, d *stored.Description) {
	chunks, err := s.base.History(s.ctx, x.id, 1, 0, false)
	if err != nil {
		s.wrong("%s: %v", x.arn, err)
		return
	}
	events := make([]history.Event, 0, len(x.events))
	for _, chunk := range chunks {
		if events, err = history.Decode(events, chunk.Data); err != nil {
			s.wrong("%s: %v", x.arn, err)
			return
		}
	}
	revision, err := n.Catalogue().Revision(s.ctx, d.RevisionKey())
	if err != nil {
		s.wrong("%s: %v", x.arn, err)
		return
	}
	replayed, err := interpreter.Replay(parsed(revision.Definition), interpreter.Info{}, events)
	if err != nil || d.Status != x.status || d.Last != int64(len(x.events)) || replayed.Last() != d.Last {
		s.wrong("%s is %v with %d events, %d of them written: %v", x.arn, d.Status, d.Last, len(x.events), err)
	}
}

// checkCatalogue: deletions and shifts have come to their end, and nothing is
// left of machines that are gone but what their executions ran by.
func (s *simulation) checkCatalogue(n *node) {
	there := make(map[uint32]bool)
	for key, b := range s.truth.catalogue {
		switch kind, _, _ := strings.Cut(key, "/"); kind {
		case "machine":
			m := decodeAs[catalogue.Machine](s, b)
			there[m.Number] = true
			if m.Deleting {
				s.wrong("%s is being deleted, and its executions have ended", key)
			}
		case "shift":
			if decodeAs[catalogue.Shift](s, b).Status == catalogue.ShiftRunning {
				s.wrong("%s has not come to its end", key)
			}
		}
	}
	for key := range s.truth.catalogue {
		if kind, number, _ := numbered(key); number != 0 && !there[number] && kind != "revision" && kind != "deleted" {
			s.wrong("%s is there, and its machine is not", key)
		}
	}
	if m, err := n.Catalogue().Machine(s.ctx, machineARN); err == nil {
		s.view(n, m)
	} else if !errors.Is(err, store.ErrNotFound) {
		s.wrong("%v", err)
	}
}

// expire lets everything expire: nothing is left then but machines, and of
// those that are gone nothing at all.
func (s *simulation) expire() {
	n := s.nodes[0]
	if s.solo && s.seed%2 == 1 {
		if m, err := n.Catalogue().Machine(s.ctx, machineARN); err == nil {
			if err := n.DeleteMachine(s.ctx, m); err != nil {
				s.wrong("delete: %v", err)
			}
		}
	}
	s.now = s.now.Add(simulatedRetention)
	s.tidy()
	s.tidy()
	for arn := range s.truth.byARN {
		s.wrong("%s is there, and has expired", arn)
	}
	there := make(map[uint32]bool)
	for key, b := range s.truth.catalogue {
		if strings.HasPrefix(key, "machine/") {
			there[decodeAs[catalogue.Machine](s, b).Number] = true
		}
	}
	for key := range s.truth.catalogue {
		if _, number, _ := numbered(key); number != 0 && !there[number] {
			s.wrong("%s is there, and neither its machine nor an execution is", key)
		}
	}
	s.checkEmpty()
}

// checkEmpty: the store has no executions, and neither names nor lists lead to
// any.
func (s *simulation) checkEmpty() {
	if left, err := s.base.Executions(s.ctx, store.ExecutionID{}, 0); err != nil || len(left) > 0 {
		s.wrong("%d executions are left, %v", len(left), err)
	}
	s.checkLetters()
	for scope := range s.truth.scopes {
		if left, err := s.base.Names(s.ctx, scope, "", "", 0); err != nil || len(left) > 0 {
			s.wrong("%d names are left, %v", len(left), err)
		}
	}
	for term := range s.truth.terms {
		if left, _, err := s.base.List(s.ctx, store.ListQuery{Term: term}); err != nil || len(left) > 0 {
			s.wrong("%d executions are left under a term, %v", len(left), err)
		}
	}
	for number := range s.truth.machines {
		if left, _, err := s.base.List(s.ctx, store.ListQuery{Groups: []uint32{number}}); err != nil || len(left) > 0 {
			s.wrong("%d executions are left in the list of machine %d, %v", len(left), number, err)
		}
	}
	if db, ok := s.base.(*pebble.DB); ok {
		if _, err := db.Check(s.ctx, func(store.Record, []store.Chunk) {}, func(problem string) { s.wrong("%s", problem) }); err != nil {
			s.wrong("%v", err)
		}
	}
}
