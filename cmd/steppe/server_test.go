package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
)

// server is a process of the command serve.
type server struct {
	cmd      *exec.Cmd
	endpoint string
}

// startServer starts a server on a free port and waits until it answers.
func startServer(cmd *exec.Cmd) (*server, error) {
	cmd.Args = append(cmd.Args, "--addr", "127.0.0.1:0", "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("the server does not start: %w", err)
	}
	var told struct{ Endpoint string }
	if err := json.Unmarshal(line, &told); err != nil {
		return nil, err
	}
	return &server{cmd, told.Endpoint}, nil
}

// kill ends the process as a power cut would.
func (s *server) kill() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = s.cmd.Wait() // it was killed
	return nil
}

// stop asks the process to end.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// call performs an operation of the API at an endpoint.
func call(endpoint, operation string, in any) (out map[string]any, status int, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, 0, err
	}
	req, err := http.NewRequest(http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("X-Amz-Target", "AWSStepFunctions."+operation)
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	err = json.NewDecoder(response.Body).Decode(&out)
	return out, response.StatusCode, err
}
