package wire_test

import (
	"math/rand/v2"
	"time"
)

func iso(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }
