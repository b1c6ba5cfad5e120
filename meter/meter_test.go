package meter_test

import (
	"errors"
	"testing"

	"github.com/steppehq/steppe/meter"
)

func caught(m *meter.Meter, do func()) (err error) {
	defer m.Caught(&err)
	do()
	return nil
}

func TestLimits(t *testing.T) {
	m := meter.New(meter.Config{Work: 100, Bytes: 1000})
	if err := caught(m, func() { m.Work(100); m.Hold(1000) }); err != nil {
		t.Error("at its limits:", err)
	}
	if err := caught(m, func() { m.Work(1) }); !errors.Is(err, meter.ErrWork) {
		t.Error("beyond the work:", err)
	}
	if err := caught(m, func() { m.Hold(1) }); !errors.Is(err, meter.ErrBytes) {
		t.Error("beyond the bytes:", err)
	}
	if _, peak := m.Used(); peak != 1000 {
		t.Error("what was refused counts as held:", peak)
	}
	m.Renew(400)
	if err := caught(m, func() { m.Work(100); m.Hold(1000) }); err != nil || m.Built() != 1400 {
		t.Error("after Renew:", err, m.Built())
	}
	m.Renew(0)
	m.Hold(1000)
	m.Release(640)
	if err := caught(m, func() { m.Hold(640) }); err != nil {
		t.Error("after Release:", err)
	}
	if err := caught(m, func() { m.Work(91) }); !errors.Is(err, meter.ErrWork) {
		t.Error("what was released is no work:", err)
	}
}

func TestNoLimits(t *testing.T) {
	for _, m := range []*meter.Meter{nil, meter.New(meter.Config{})} {
		if err := caught(m, func() { m.Work(1 << 50); m.Hold(1 << 50); m.Renew(0); m.Release(0) }); err != nil {
			t.Error(err)
		}
	}
}

// TestPace: Pace is called as often as it is promised, with what was counted.
func TestPace(t *testing.T) {
	var works, helds []int64
	m := meter.New(meter.Config{PaceWork: 10, PaceBytes: 100, Pace: func(work, held int64) error {
		works, helds = append(works, work), append(helds, held)
		return nil
	}})
	for range 100 {
		m.Work(1)
	}
	if len(works) != 10 || works[9] != 100 {
		t.Error("by work:", works)
	}
	works, helds = nil, nil
	for range 100 {
		m.Hold(30)
	}
	if len(helds) < 25 || helds[0] < 100 || helds[0] > 130 {
		t.Error("by bytes:", helds)
	}
	m.Renew(0)
	before := len(helds)
	for range 4 {
		m.Hold(30)
	}
	if len(helds) != before+1 {
		t.Error("after Renew what is held grows again:", len(helds)-before)
	}
}

func TestInterruption(t *testing.T) {
	stop := errors.New("stop")
	m := meter.New(meter.Config{PaceWork: 1, PaceBytes: 1, Pace: func(_, _ int64) error { return stop }})
	defer func() {
		s, ok := recover().(*meter.Stop)
		if !ok || !s.Interrupted || !errors.Is(s, stop) {
			t.Error("an interruption does not go through the doors:", s)
		}
	}()
	t.Error("it was caught:", caught(m, func() { m.Work(1) }))
}

func TestOtherPanicsGoOn(t *testing.T) {
	defer func() {
		if r := recover(); r != "bug" {
			t.Error(r)
		}
	}()
	_ = caught(nil, func() { panic("bug") })
}

func BenchmarkWork(b *testing.B) {
	m := meter.New(meter.Config{Work: 1 << 60, Bytes: 1 << 60})
	for b.Loop() {
		m.Work(1)
	}
}
