package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// FloorName is the workload of the floor.
const FloorName = "floor"

// Floor measures what no engine on this disk can go beyond: clients that append
// records of a size to one file, durable before each is told so, all that wait
// written and synced at once.
func Floor(ctx context.Context, size, clients int, opts Options) (r Result, err error) {
	dir, err := os.MkdirTemp(opts.Dir, "steppe-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return r, err
	}
	log := &groupLog{file: file}
	log.wake.L = &log.mu
	var writer sync.WaitGroup
	writer.Go(log.run)
	record := slices.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
	calls := make([]call, clients)
	for i := range calls {
		calls[i] = func() error { return log.append(record) }
	}
	r = Result{Workload: FloorName, Door: Library, Clients: clients, Log: float64(size)}
	cpu, _ := usage()
	err = load(ctx, calls, &Workload{}, opts.Duration, &r)
	spent, _ := usage()
	r.CPU = (spent - cpu).Seconds() / float64(max(r.Executions, 1)) * 1000
	log.close()
	writer.Wait()
	if err = errors.Join(err, file.Close()); err != nil {
		err = fmt.Errorf("floor: %w", err)
	}
	return r, err
}

const emptyPath = "/bench/empty"

// FloorHTTP measures what no server of net/http can go beyond: requests of W1 to
// a handler that does nothing. Floor measures what the disk can do.
func FloorHTTP(ctx context.Context, clients int, opts Options) (r Result, err error) {
	dir, err := os.MkdirTemp(opts.Dir, "steppe-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	input, _ := json.Marshal(order) // one string
	body := `{"stateMachineArn":"` + benchARN + `","input":` + string(input) + `}`
	r = Result{Workload: FloorName, Door: HTTP, Clients: clients}
	err = r.overHTTP(ctx, &Workload{}, dir, opts, func(string) (func(*Client) call, error) {
		return func(c *Client) call {
			return func() error {
				_, err := c.post(emptyPath, "StartExecution", body)
				return err
			}
		}, nil
	})
	return r, err
}

// groupLog is a file of records.
type groupLog struct {
	file *os.File

	mu      sync.Mutex
	wake    sync.Cond
	next    []byte
	waiting []chan error
	closed  bool
}

func (l *groupLog) append(record []byte) error {
	done := make(chan error, 1)
	l.mu.Lock()
	l.next = append(l.next, record...)
	l.waiting = append(l.waiting, done)
	l.wake.Signal()
	l.mu.Unlock()
	return <-done
}

func (l *groupLog) close() {
	l.mu.Lock()
	l.closed = true
	l.wake.Signal()
	l.mu.Unlock()
}

func (l *groupLog) run() {
	var group []byte
	var told []chan error
	for {
		l.mu.Lock()
		for len(l.waiting) == 0 && !l.closed {
			l.wake.Wait()
		}
		if len(l.waiting) == 0 {
			l.mu.Unlock()
			return
		}
		group, l.next = l.next, group[:0]
		told, l.waiting = l.waiting, told[:0]
		l.mu.Unlock()
		_, err := l.file.Write(group)
		err = errors.Join(err, l.file.Sync())
		for _, done := range told {
			done <- err
		}
	}
}
