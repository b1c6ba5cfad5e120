package door

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// doorServer serves with a bounded number of connections: /known is of who has
// signed, /held answers when it is told to.
type doorServer struct {
	addr string
	hold chan struct{}
	held chan struct{}
	http *http.Server
}

func startDoor(t *testing.T, most int) *doorServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &doorServer{addr: l.Addr().String(), hold: make(chan struct{}), held: make(chan struct{}, 100)}
	hs := &http.Server{ConnContext: WithConnection, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c, ok := Serving(r.Context(), r.URL.Path == "/known")
		if !ok {
			return
		}
		defer c.Served()
		if r.URL.Path == "/held" {
			s.held <- struct{}{}
			<-s.hold
		}
	})}
	s.http = hs
	var done sync.WaitGroup
	done.Go(func() { _ = hs.Serve(Limit(l, most, slog.New(slog.DiscardHandler))) })
	t.Cleanup(func() {
		close(s.hold)
		_ = hs.Close()
		done.Wait()
	})
	return s
}

// connect opens a connection that asks for a path, or for nothing.
func (s *doorServer) connect(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if path == "" {
		return c
	}
	s.ask(t, c, path)
	return c
}

func (s *doorServer) ask(t *testing.T, c net.Conn, path string) {
	t.Helper()
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
	if path == "/held" {
		<-s.held
		return
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%s is not answered: %v", path, err)
	}
	_ = answer.Body.Close()
}

// closed waits until the server has closed a connection.
func closed(t *testing.T, c net.Conn) bool {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	netErr, ok := errors.AsType[net.Error](err)
	return err != nil && (!ok || !netErr.Timeout())
}

// TestConnectionsMakeRoom: with all connections used up a new caller is served at
// once. Those that serve nothing are closed for it, of callers who never signed
// first; those that serve are not.
func TestConnectionsMakeRoom(t *testing.T) {
	s := startDoor(t, 4)
	known := s.connect(t, "/known")
	held := s.connect(t, "/held")
	silent := s.connect(t, "") // has sent nothing
	stranger := s.connect(t, "/")
	s.connect(t, "/known") // the fifth
	s.connect(t, "/known") // the sixth
	if !closed(t, silent) || !closed(t, stranger) {
		t.Error("those of nobody are still open")
	}
	s.ask(t, known, "/known")
	s.hold <- struct{}{}
	answer, err := http.ReadResponse(bufio.NewReader(held), nil)
	if err != nil {
		t.Fatalf("a request that was served was cut off: %v", err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
}

// TestConnectionsWait: while all serve requests a new one waits, and is served as
// soon as one is idle.
func TestConnectionsWait(t *testing.T) {
	s := startDoor(t, 2)
	s.connect(t, "/held")
	s.connect(t, "/held")
	waits := make(chan struct{})
	go func() {
		defer close(waits)
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Error(err)
		}
	}()
	s.hold <- struct{}{}
	<-waits
}

// TestUnusedConnectionsEnd: the end of a server closes connections on which nothing
// was asked, and waits for the answers on others.
func TestUnusedConnectionsEnd(t *testing.T) {
	s := startDoor(t, 10)
	unused := s.connect(t, "")
	busy := s.connect(t, "/held")
	ended := make(chan error, 1)
	go func() { ended <- s.http.Shutdown(t.Context()) }()
	if !closed(t, unused) {
		t.Error("the unused connection is open")
	}
	s.hold <- struct{}{}
	answer, err := http.ReadResponse(bufio.NewReader(busy), nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("%+v, %v", answer, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestGate: a caller has not more requests under way than it may.
func TestGate(t *testing.T) {
	g := Gate[string]{Most: 2}
	first, second := g.Enter("a"), g.Enter("a")
	if !first || !second || g.Enter("a") || !g.Enter("b") {
		t.Error("a gate counts wrong")
	}
	g.Leave("a")
	if !g.Enter("a") || g.Enter("a") {
		t.Error("a gate does not count who leaves")
	}
	g.Leave("a")
	g.Leave("a")
	g.Leave("b")
	if len(g.under) > 0 {
		t.Errorf("a gate remembers %v", g.under)
	}
}
