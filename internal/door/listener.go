package door

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Listener has a bounded number of connections. When there are as many, one that
// serves no request makes room for a new one: of the address that has more than
// its part, then of callers who never signed, then the one that is idle for
// longest. While all serve requests, new ones wait.
type Listener struct {
	net.Listener
	most  int
	lines *lines

	mu    sync.Mutex
	conns map[*Connection]struct{}
	parts map[netip.Addr]int
	room  chan struct{} // has an element when a connection has left
	ended chan struct{}
	once  sync.Once
}

// Limit bounds the connections of a listener. It tells log when it closes some.
func Limit(l net.Listener, most int, log *slog.Logger) *Listener {
	return &Listener{
		Listener: l, most: max(most, 1), lines: &lines{log: log, clock: time.Now},
		conns: make(map[*Connection]struct{}), parts: make(map[netip.Addr]int), room: make(chan struct{}, 1),
		ended: make(chan struct{}),
	}
}

// fresh is how long a connection may take to send its first request before it
// makes room for others.
const fresh = 100 * time.Millisecond

// Accept waits for a connection, and for room for it.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	ours := &Connection{Conn: c, listener: l}
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		ours.address = tcp.AddrPort().Addr().Unmap()
	}
	ours.since.Store(time.Now().UnixNano())
	look := time.NewTimer(0)
	defer look.Stop()
	for !l.admit(ours) {
		victim := l.victim(ours.address)
		if victim != nil {
			if !victim.give() {
				continue // it has just begun to serve
			}
			l.lines.warn("full", "the connections are used up: idle ones are closed for new ones (--max-connections)", slog.Int("connections", l.most))
			_ = victim.Close() // it is given up
			continue
		}
		l.lines.warn("busy", "the connections are used up, and none is idle: new ones wait (--max-connections)", slog.Int("connections", l.most))
		look.Reset(fresh)
		select {
		case <-l.room:
		case <-l.ended:
			return nil, errors.Join(net.ErrClosed, c.Close())
		case <-look.C: // one may be idle meanwhile
		}
	}
	select {
	case <-l.ended: // Close has not seen it
		return nil, errors.Join(net.ErrClosed, ours.Close())
	default:
		return ours, nil
	}
}

// Close ends the listener, the waiting for room, and the connections on which no
// request was ever let in: http.Server.Shutdown would wait seconds for their first
// one.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.ended) })
	err := l.Listener.Close()
	l.mu.Lock()
	var unused []*Connection
	for c := range l.conns {
		if !c.used.Load() && c.give() {
			unused = append(unused, c)
		}
	}
	l.mu.Unlock()
	for _, c := range unused {
		_ = c.Close() // nothing was said on it
	}
	return err
}

func (l *Listener) admit(c *Connection) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= l.most {
		return false
	}
	l.conns[c] = struct{}{}
	l.parts[c.address]++
	return true
}

func (l *Listener) left(c *Connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.conns[c]; !ok {
		return
	}
	delete(l.conns, c)
	if l.parts[c.address]--; l.parts[c.address] == 0 {
		delete(l.parts, c.address)
	}
	select {
	case l.room <- struct{}{}:
	default:
	}
}

// victim chooses the connection that makes room for one of an address; nil while
// all serve requests or are new.
func (l *Listener) victim(newcomer netip.Addr) *Connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	fair := l.most / (len(l.parts) + 1)
	if l.parts[newcomer] > 0 {
		fair = l.most / len(l.parts)
	}
	type rank struct {
		over  int // connections beyond the address's part
		known bool
		since int64
	}
	of := func(c *Connection) rank {
		return rank{max(l.parts[c.address]-fair, 0), c.known.Load(), c.since.Load()}
	}
	sooner := func(a, b rank) bool {
		switch {
		case a.over != b.over:
			return a.over > b.over
		case a.known != b.known:
			return !a.known
		}
		return a.since < b.since
	}
	youngest := time.Now().Add(-fresh).UnixNano()
	var best *Connection
	var first rank
	for c := range l.conns {
		r := of(c)
		if c.serving.Load() > 0 || r.since > youngest {
			continue
		}
		if best == nil || sooner(r, first) {
			best, first = c, r
		}
	}
	return best
}
