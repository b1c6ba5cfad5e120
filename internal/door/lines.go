package door

import (
	"log/slog"
	"sync"
	"time"
)

// maxLines bounds the lines of a minute.
const maxLines = 20

// lines tells the log of what comes often: of each thing once a minute, and of
// a few things only.
type lines struct {
	log   *slog.Logger
	clock func() time.Time

	mu     sync.Mutex
	minute int64
	told   map[string]bool
	passed int // over since the last line
}

// warn writes a line about a thing, unless it was told already.
func (l *lines) warn(thing, message string, attrs ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if minute := l.clock().Unix() / 60; minute != l.minute || l.told == nil {
		l.minute, l.told = minute, make(map[string]bool)
	}
	const most = 200 // of a thing is enough to tell it from others
	thing = thing[:min(len(thing), most)]
	if l.told[thing] || len(l.told) >= maxLines {
		l.passed++
		return
	}
	l.told[thing] = true
	if l.passed > 0 {
		attrs = append(attrs, slog.Int("untold", l.passed))
		l.passed = 0
	}
	l.log.Warn(message, attrs...)
}
