package interpretertest

import (
	"math/rand/v2"
	"slices"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
)

// damage replays histories that no execution has had. They may be refused, or
// not; what they must not do is end the program.
func damage(m *asl.StateMachine, info interpreter.Info, events []history.Event) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		damaged := slices.Clone(events)
		for range 1 + random.IntN(3) {
			ev := &damaged[random.IntN(len(damaged))]
			switch random.IntN(6) {
			case 0:
				ev.Type = history.Types()[random.IntN(len(history.Types()))]
			case 1:
				ev.Branch = random.Int64N(6)
			case 2:
				ev.Length, ev.Index = random.Int64(), random.Int64()
			case 3:
				ev.Retry = &history.Retry{Branch: random.Int64N(3), Retrier: random.Int64()}
			case 4:
				ev.Name, ev.Next, ev.Items, ev.Output = "B", "B", nil, nil
			case 5:
				*ev = damaged[random.IntN(len(damaged))]
			}
		}
		for i := range damaged {
			damaged[i].ID = int64(i) + 1
		}
		_, _ = interpreter.Replay(m, info, damaged)
	}
}
