package hostile

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/steppehq/steppe/aws/sigv4"
)

// The accounts that call a server.
var (
	attacker  = sigv4.Credentials{KeyID: "AKIAATTACKER", Secret: "attacker"}
	bystander = sigv4.Credentials{KeyID: "AKIABYSTANDER", Secret: "bystander"}
)

const role = "arn:aws:iam::111111111111:role/r"

// server is a process of steppe serve.
type server struct {
	cmd      *exec.Cmd
	endpoint string
	ended    chan error
}

// serve starts a server on a directory, with the keys of both accounts.
func serve(binary, dir string) (*server, error) {
	keys := filepath.Join(filepath.Dir(dir), "keys.yaml")
	var text strings.Builder
	for account, k := range map[string]sigv4.Credentials{"111111111111": attacker, "222222222222": bystander} {
		fmt.Fprintf(&text, "- {id: %s, secret: %s, account: %q}\n", k.KeyID, k.Secret, account)
	}
	if err := os.WriteFile(keys, []byte(text.String()), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, "serve", "--data", dir, "--keys", keys, "--addr", "127.0.0.1:0", "--json")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, ended: make(chan error, 1)}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	go func() { s.ended <- cmd.Wait() }()
	if err != nil {
		return nil, fmt.Errorf("the server does not start: %w", err)
	}
	var told struct{ Endpoint string }
	err = json.Unmarshal(line, &told)
	s.endpoint = told.Endpoint
	return s, err
}

func (s *server) client(key sigv4.Credentials) *Client {
	return &Client{Endpoint: s.endpoint, Key: key}
}

// resident is what the server takes of the memory, in MB; 0 where that is not
// told.
func (s *server) resident() int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kB, _ := strconv.Atoi(number)
	return kB >> 10
}

// terminate asks the server to end, and reports how long that took.
func (s *server) terminate(patience time.Duration) (time.Duration, error) {
	begun := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	select {
	case err := <-s.ended:
		return time.Since(begun), err
	case <-time.After(patience):
		s.kill()
		return time.Since(begun), fmt.Errorf("SIGTERM did not end the server within %v", patience)
	}
}

// kill ends the server at once.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	_ = <-s.ended            //nolint:staticcheck // it was killed
}
