package hostile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Restarts has a server killed and started again, times over, on a directory that
// holds one execution of each bomb, all of them at work when it is killed. Each
// time another tenant must be served at once: what begins with the start of the
// process, and ends when an execution of theirs has, may take Served. It returns what
// is wrong.
func Restarts(ctx context.Context, o *Options, times int) (violations []string, err error) {
	dir, err := os.MkdirTemp(o.Dir, "steppe-hostile-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is temporary
	dir = filepath.Join(dir, "data")
	s, err := serve(o.Binary, dir)
	if err != nil {
		return nil, err
	}
	defer func() { s.kill() }()
	machine, arns, err := plant(ctx, s, o.Bombs)
	if err != nil {
		return nil, err
	}
	time.Sleep(waitBefore) // they go off
	for i := 1; i <= times; i++ {
		s.kill()
		begun := time.Now()
		if s, err = serve(o.Binary, dir); err != nil {
			return violations, err
		}
		listens := time.Now()
		if err := runQuick(ctx, s.client(bystander), machine); err != nil {
			return violations, fmt.Errorf("start %d: %w", i, err)
		}
		took := time.Since(listens)
		running, err := count(ctx, s.client(attacker), arns)
		if err != nil {
			return violations, err
		}
		fmt.Fprintf(o.Out, "start %2d: the server listened after %4d ms, an execution of another tenant ended %4d ms later; %d of %d bombs have not ended; %d MB\n",
			i, listens.Sub(begun).Milliseconds(), took.Milliseconds(), running, len(arns), s.resident())
		if took > o.Served {
			violations = append(violations, fmt.Sprintf("at start %d an execution of another tenant took %v; it should be %v at most", i, took, o.Served))
		}
	}
	return violations, nil
}

// plant creates the state machines of both accounts and starts an execution of
// each bomb.
func plant(ctx context.Context, s *server, bombs []Bomb) (machine string, arns []string, err error) {
	if machine, err = create(ctx, s.client(bystander), "quick", "STANDARD", quick); err != nil {
		return "", nil, err
	}
	for i := range bombs {
		t := &trial{bomb: &bombs[i], a: s.client(attacker), r: new(Result)}
		if t.bomb.Express || t.bomb.Refused || t.bomb.Operation != "" {
			continue // nothing of it is kept
		}
		if t.machine, err = create(ctx, t.a, fmt.Sprint("bomb-", i), "STANDARD", t.bomb.Definition); err != nil {
			return "", nil, err
		}
		arn, err := t.start(ctx)
		if err != nil {
			return "", nil, err
		}
		arns = append(arns, arn)
	}
	return machine, arns, nil
}

// runQuick runs an execution to its end.
func runQuick(ctx context.Context, c *Client, machine string) error {
	out, err := c.Call(ctx, "StartExecution", object{"stateMachineArn": machine, "input": `{"n":1}`})
	if err != nil {
		return err
	}
	t := &trial{a: c}
	status, err := t.await(ctx, out["executionArn"].(string))
	if err == nil && status != "SUCCEEDED" {
		err = fmt.Errorf("the other tenant's execution is %s", status)
	}
	return err
}

// count reports how many executions run.
func count(ctx context.Context, c *Client, arns []string) (running int, err error) {
	t := &trial{a: c}
	for _, arn := range arns {
		status, err := t.status(ctx, arn)
		if err != nil {
			return 0, err
		}
		if status == "RUNNING" {
			running++
		}
	}
	return running, nil
}
