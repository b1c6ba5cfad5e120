package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/steppehq/steppe/aws/sigv4"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/internal/hostile"
)

// attacker does a server what harm it can from outside: as nobody who is known, as
// a web page, and as another tenant.
type attacker struct {
	address   *atomic.Pointer[string]
	retention time.Duration
	random    *rand.Rand
	machines  map[string]string // ARN by the name of the bomb
	running   []string          // executions that are to be stopped, the oldest first

	mu       sync.Mutex
	bombs    int // executions that were started
	refusals int // requests that were refused
}

func newAttacker(address *atomic.Pointer[string], retention time.Duration, seed uint64) *attacker {
	return &attacker{
		address: address, retention: retention, random: rand.New(rand.NewPCG(seed, 1<<32)), machines: make(map[string]string),
	}
}

// How much of everything there is at once.
const (
	floods         = 2
	slowCallers    = 200
	bombsAtOnce    = 6
	betweenBombs   = 500 * time.Millisecond
	betweenForeign = 10 * time.Millisecond
	betweenFloods  = 5 * time.Millisecond
	betweenBytes   = 250 * time.Millisecond
)

// attack attacks until the context ends.
func (a *attacker) attack(ctx context.Context) {
	var all sync.WaitGroup
	for range floods {
		all.Go(func() { every(ctx, betweenFloods, func() { a.flood(ctx) }) })
	}
	for range slowCallers {
		all.Go(func() { every(ctx, betweenBytes, func() { a.slow(ctx) }) })
	}
	all.Go(func() { every(ctx, betweenForeign, func() { a.foreign(ctx) }) })
	all.Go(func() { every(ctx, betweenBombs, func() { a.bomb(ctx) }) })
	all.Wait()
}

// every does something again and again, with pauses, until the context ends.
func every(ctx context.Context, pause time.Duration, do func()) {
	for {
		do()
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return
		}
	}
}

// dial connects; the connection ends with the context.
func (a *attacker) dial(ctx context.Context) (c net.Conn, done func()) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", *a.address.Load())
	if err != nil {
		return nil, nil
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	return c, func() { stop(); _ = c.Close() }
}

// flood sends a large request that nobody signed.
func (a *attacker) flood(ctx context.Context) {
	c, done := a.dial(ctx)
	if c == nil {
		return
	}
	defer done()
	_, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AWSStepFunctions.StartExecution\r\nContent-Length: 4000000\r\n\r\n")
	piece := make([]byte, 64<<10)
	for sent := 0; err == nil && sent < 4_000_000; sent += len(piece) {
		_, err = c.Write(piece)
	}
	a.answered(c)
}

// answered counts an answer that refuses.
func (a *attacker) answered(c net.Conn) {
	start := make([]byte, len("HTTP/1.1 4"))
	if _, err := io.ReadFull(c, start); err == nil && string(start) == "HTTP/1.1 4" {
		a.mu.Lock()
		a.refusals++
		a.mu.Unlock()
	}
}

// slow begins a request, a byte at a time, until it is cut.
func (a *attacker) slow(ctx context.Context) {
	c, done := a.dial(ctx)
	if c == nil {
		return
	}
	defer done()
	request := "POST / HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + strings.Repeat("x", 1000)
	every(ctx, betweenBytes, func() {
		if len(request) == 0 {
			return
		}
		if _, err := io.WriteString(c, request[:1]); err != nil {
			request = ""
			return
		}
		request = request[1:]
	})
}

// foreign asks as a web page of another site would, and by a name that is not the
// server's.
func (a *attacker) foreign(ctx context.Context) {
	c, done := a.dial(ctx)
	if c == nil {
		return
	}
	defer done()
	host, origin := "localhost", "http://page.example"
	if a.random.IntN(2) == 0 {
		host, origin = "rebound.example", "http://rebound.example"
	}
	_, _ = fmt.Fprintf(c, "POST /api/v1/executions/stop HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", host, origin)
	a.answered(c)
}

func (a *attacker) client() *hostile.Client {
	return &hostile.Client{
		Endpoint: "http://" + *a.address.Load(), Region: "eu-west-1",
		Key:  sigv4.Credentials{KeyID: "attacker", Secret: "attacker"},
		HTTP: http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute},
	}
}

// bomb starts one more execution that takes what it can, and stops one that ran
// for long.
func (a *attacker) bomb(ctx context.Context) {
	c := a.client()
	if len(a.running) >= bombsAtOnce {
		_, err := c.Call(ctx, "StopExecution", map[string]any{"executionArn": a.running[0]})
		if e, ok := errors.AsType[*hostile.Exception](err); err != nil && (!ok || e.Type != "ExecutionDoesNotExist") {
			return // the server was killed
		}
		a.running = a.running[1:]
	}
	bombs := hostile.Bombs()
	b := &bombs[a.random.IntN(len(bombs))]
	if b.Operation != "" {
		_, _ = c.Call(ctx, b.Operation, b.Request) // it is refused, or answered
		a.bombs++
		return
	}
	arn, err := a.machine(ctx, c, b)
	if err != nil || arn == "" {
		return // the server was killed, or refuses it
	}
	request := map[string]any{"stateMachineArn": arn, "input": b.Input}
	if b.Express {
		short, cancel := context.WithTimeout(ctx, betweenBombs)
		defer cancel()
		_, _ = c.Call(short, "StartSyncExecution", request) // it is left
	} else if out, err := c.Call(ctx, "StartExecution", request); err == nil {
		a.running = append(a.running, out["executionArn"].(string))
	}
	a.bombs++
}

// machine returns the bomb's state machine, which is created when it is new; "" when
// it is refused.
func (a *attacker) machine(ctx context.Context, c *hostile.Client, b *hostile.Bomb) (string, error) {
	if arn, ok := a.machines[b.Name]; ok {
		return arn, nil
	}
	kind := catalogue.Standard
	if b.Express {
		kind = catalogue.Express
	}
	out, err := c.Call(ctx, "CreateStateMachine", map[string]any{
		"name": fmt.Sprint("bomb-", len(a.machines)), "type": kind, "definition": b.Definition, "roleArn": "arn:aws:iam::000000000000:role/r",
		"tags": []map[string]string{{"key": engine.RetentionTag, "value": a.retention.String()}},
	})
	if _, refused := errors.AsType[*hostile.Exception](err); refused && b.Refused {
		a.machines[b.Name] = ""
		return "", nil
	}
	if err != nil {
		return "", err
	}
	a.machines[b.Name] = out["stateMachineArn"].(string)
	return a.machines[b.Name], nil
}

// clear stops what runs still, and deletes the state machines: what an attacker
// leaves is forgotten like everything else.
func (a *attacker) clear(ctx context.Context) error {
	c := a.client()
	for _, arn := range a.running {
		_, err := c.Call(ctx, "StopExecution", map[string]any{"executionArn": arn})
		if e, ok := errors.AsType[*hostile.Exception](err); err != nil && (!ok || e.Type != "ExecutionDoesNotExist") { // it may be forgotten
			return fmt.Errorf("stop what the attacker left: %w", err)
		}
	}
	for _, arn := range a.machines {
		if arn == "" {
			continue
		}
		if _, err := c.Call(ctx, "DeleteStateMachine", map[string]any{"stateMachineArn": arn}); err != nil {
			return fmt.Errorf("delete what the attacker left: %w", err)
		}
	}
	return nil
}
