package door

import (
	stdlog "log"
	"log/slog"
	"strings"
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

// ErrorLog is a log for an http.Server that tells log a few lines a minute: what
// nobody has signed must not fill it.
func ErrorLog(log *slog.Logger) *stdlog.Logger {
	return stdlog.New(&errorLines{lines{log: log, clock: time.Now}}, "", 0)
}

type errorLines struct{ lines }

// Write tells a line, unless one was told that differs in its numbers only.
func (l *errorLines) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	kind := strings.Map(func(c rune) rune {
		if '0' <= c && c <= '9' {
			return -1
		}
		return c
	}, text)
	l.warn(kind, "http server", slog.String("error", text))
	return len(line), nil
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
