package hostile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// maxFailures bounds how many failed requests are told.
const maxFailures = 10

// bystanderReport is what another tenant has noticed.
type bystanderReport struct {
	Took   []time.Duration
	Failed []string
}

// Bystand asks a server as a tenant who means no harm, two requests at a time,
// until in ends, and writes what it noticed into out.
func Bystand(endpoint, machine string, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := &Client{Endpoint: endpoint, Key: bystander}
	var mu sync.Mutex
	var report bystanderReport
	var work sync.WaitGroup
	ask := func(operation string, in any) {
		begun := time.Now()
		_, err := c.Call(context.WithoutCancel(ctx), operation, in)
		took := time.Since(begun)
		mu.Lock()
		defer mu.Unlock()
		report.Took = append(report.Took, took)
		if err != nil && len(report.Failed) < maxFailures {
			report.Failed = append(report.Failed, fmt.Sprintf("%s: %v", operation, err))
		}
	}
	for i := range 2 {
		work.Go(func() {
			for i := i; ctx.Err() == nil; i++ {
				if i%2 == 0 {
					ask("StartExecution", object{"stateMachineArn": machine, "input": `{"n":1}`})
				} else {
					ask("ListStateMachines", object{})
				}
			}
		})
	}
	_, _ = io.Copy(io.Discard, in)
	cancel()
	work.Wait()
	return json.NewEncoder(out).Encode(report)
}

// bystanderProcess is a process that runs [Bystand].
type bystanderProcess struct {
	cmd *exec.Cmd
	in  io.Closer
	out io.Reader
}

func startBystander(command []string, endpoint, machine string) (*bystanderProcess, error) {
	p := &bystanderProcess{cmd: exec.Command(command[0], append(command[1:len(command):len(command)], endpoint, machine)...)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	return p, p.cmd.Start()
}

// end has the bystander tell what it noticed.
func (p *bystanderProcess) end() (r bystanderReport, err error) {
	err = p.in.Close()
	err = errors.Join(err, json.NewDecoder(p.out).Decode(&r))
	return r, errors.Join(err, p.cmd.Wait())
}
