package door

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// Connection is what is known of a connection of which there are only so many.
type Connection struct {
	net.Conn
	listener *Listener
	address  netip.Addr

	closed  atomic.Bool
	used    atomic.Bool  // a request was let in
	known   atomic.Bool  // somebody signed a request on it
	serving atomic.Int32 // requests that were let in
	since   atomic.Int64 // when that last changed, in nanoseconds
}

type connectionKey struct{}

// WithConnection returns the context of the requests of a connection: what
// http.Server.ConnContext is for. Connections of no [Listener] pass.
func WithConnection(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // TLS
		c = t.NetConn()
	}
	if ours, ok := c.(*Connection); ok {
		return context.WithValue(ctx, connectionKey{}, ours)
	}
	return ctx
}

// Serving records that a request has been let in, by somebody who is known where
// known says so: its connection does not make room for others until it is told
// that the request is Served. It is false when it has made room already. The
// connection is nil where they are not bounded.
func Serving(ctx context.Context, known bool) (c *Connection, ok bool) {
	c, ours := ctx.Value(connectionKey{}).(*Connection)
	if !ours {
		return nil, true
	}
	if c.serving.Add(1) <= 0 {
		return nil, false
	}
	c.used.Store(true)
	if known {
		c.known.Store(true)
	}
	return c, true
}

// Served records that a request has been answered.
func (c *Connection) Served() {
	if c == nil {
		return
	}
	c.since.Store(time.Now().UnixNano())
	c.serving.Add(-1)
}

// given is what serving is far below of, when a connection has made room.
const given = -1 << 20

// give has a connection make room, unless it serves a request.
func (c *Connection) give() bool { return c.serving.CompareAndSwap(0, given) }

// Close closes the connection.
func (c *Connection) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.listener.left(c)
	}
	return c.Conn.Close()
}
