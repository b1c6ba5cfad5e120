package door

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// reader is a server that reads bodies, and reports what came of each.
func reader(t *testing.T, b *Budget, limit int64) (addr string, outcome chan error) {
	t.Helper()
	outcome = make(chan error, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := b.Open(w, (*http.ResponseController).SetReadDeadline)
		defer h.Close()
		h.Owner = r.Header.Get("Owner")
		body, err := ReadBody(r.Context(), w, r, limit, &h)
		outcome <- err
		switch {
		case err == nil:
			fmt.Fprint(w, len(body))
		case errors.Is(err, ErrTooLarge):
			Leave(w)
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			Drain(w, r)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), outcome
}

// send begins a request and sends a part of its body.
func send(t *testing.T, addr, owner string, announced, sent int) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	length := fmt.Sprintf("Content-Length: %d", announced)
	if announced < 0 {
		length = "Transfer-Encoding: chunked"
	}
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: localhost\r\nOwner: %s\r\n%s\r\n\r\n", owner, length)
	if announced < 0 {
		fmt.Fprintf(c, "%x\r\n", sent)
	}
	if _, err := c.Write(make([]byte, sent)); err != nil {
		t.Fatal(err)
	}
}

// TestBodiesAreHeld: bodies that are not finished hold what came of them, not
// what they announce, and are cut when others want it.
func TestBodiesAreHeld(t *testing.T) {
	const size = 1 << 20
	b := &Budget{Bytes: 4 * size, Patience: 10 * time.Second, Stall: 50 * time.Millisecond}
	addr, outcome := reader(t, b, 2*size)
	for range 20 {
		send(t, addr, "claims", 2*size, 1000)
	}
	for i := range 8 { // of two owners, for one may hold half
		announced := size
		if i%4 == 0 {
			announced = -1
		}
		send(t, addr, fmt.Sprint("attacker", i%2), announced, size-1)
	}
	for i := range 20 {
		client := &http.Client{Timeout: 30 * time.Second}
		r, err := http.NewRequest(http.MethodPost, "http://"+addr, bytes.NewReader(make([]byte, size)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Owner", "honest")
		answer, err := client.Do(r)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		text, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if string(text) != fmt.Sprint(size) {
			t.Errorf("request %d: %s %s", i, answer.Status, text)
		}
	}
	good, cut := 0, 0
	for len(outcome) > 0 {
		if <-outcome == nil {
			good++
		} else {
			cut++
		}
	}
	if good != 20 || cut == 0 {
		t.Errorf("%d were read, %d cut", good, cut)
	}
}

// TestTooLarge: who sends a body that is too large sees the answer, whether or
// not its length is told.
func TestTooLarge(t *testing.T) {
	addr, _ := reader(t, &Budget{Bytes: 64 << 20, Patience: time.Second, Stall: time.Second}, 4<<20)
	for _, body := range []io.Reader{bytes.NewReader(make([]byte, 10<<20)), io.LimitReader(strings.NewReader(strings.Repeat("x", 10<<20)), 10<<20)} {
		answer, err := http.Post("http://"+addr, "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusRequestEntityTooLarge {
			t.Error(answer.Status)
		}
	}
}

// TestAnswersAreCut: an answer that nobody reads makes room for one that somebody
// does.
func TestAnswersAreCut(t *testing.T) {
	const size = 16 << 20 // more than a connection takes unread
	b := &Budget{Bytes: 4 * size, Patience: 10 * time.Second, Stall: 50 * time.Millisecond}
	answer := make([]byte, size)
	begun, ended := make(chan struct{}, 100), make(chan error, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := b.Open(w, (*http.ResponseController).SetWriteDeadline)
		defer h.Close()
		h.Owner = r.URL.Path
		if err := h.Take(r.Context(), size); err != nil {
			ended <- err
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		begun <- struct{}{}
		w.Header().Set("Content-Length", fmt.Sprint(size))
		ended <- WriteAnswer(w, answer, &h)
	}))
	defer s.Close()
	for i := range 4 {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "GET /attacker%d HTTP/1.1\r\nHost: localhost\r\n\r\n", i%2)
		<-begun
	}
	for range 3 {
		got, err := http.Get(s.URL + "/honest")
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, got.Body)
		_ = got.Body.Close()
		if n != size || err != nil {
			t.Errorf("%s, %d bytes, %v", got.Status, n, err)
		}
	}
	if err := <-ended; err == nil {
		t.Error("nothing was cut")
	}
}
