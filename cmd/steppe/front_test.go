package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/steppehq/steppe/aws/sigv4"
	main "github.com/steppehq/steppe/cmd/steppe"
)

// TestAuditFile: a full file makes place for a new one, of which some are kept;
// one that another program has moved is opened again.
func TestAuditFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	a, err := main.OpenAudit(path, 100, 2)
	if err != nil {
		t.Fatal(err)
	}
	line := []byte(strings.Repeat("x", 39) + "\n")
	for i := range 9 {
		line[0] = '0' + byte(i)
		if _, err := a.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"": "8", ".1": "67", ".2": "45"} {
		text, err := os.ReadFile(path + name)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for l := range strings.Lines(string(text)) {
			got += l[:1]
		}
		if got != want {
			t.Errorf("audit.log%s has the lines %s, want %s", name, got, want)
		}
		if info, err := os.Stat(path + name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("audit.log%s: %v, %v", name, info.Mode(), err)
		}
	}
	if _, err := os.Stat(path + ".3"); err == nil {
		t.Error("a third one is kept")
	}
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := a.Reopen(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write(line); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || !bytes.Equal(text, line) {
		t.Errorf("after it was moved: %q, %v", text, err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// TestDescriptors shares few files between connections and the store.
func TestDescriptors(t *testing.T) {
	for _, tt := range []struct {
		limit              uint64
		asked, connections int
		warns, refused     bool
	}{
		{limit: 0, asked: 10000, connections: 10000},
		{limit: 1 << 20, asked: 10000, connections: 10000},
		{limit: 11536, asked: 10000, connections: 10000},
		{limit: 4096, asked: 10000, connections: 2560, warns: true},
		{limit: 1024, asked: 10000, connections: 512, warns: true},
		{limit: 300, asked: 10000, connections: 150, warns: true},
		{limit: 300, asked: 100, connections: 100},
		{limit: 100, asked: 10, refused: true},
	} {
		var log bytes.Buffer
		connections, forStore, err := main.Descriptors(tt.limit, tt.asked, slog.New(slog.NewTextHandler(&log, nil)))
		if connections != tt.connections || (err != nil) != tt.refused || (log.Len() > 0) != tt.warns {
			t.Errorf("%d files, %d asked for: %d, %v, %s", tt.limit, tt.asked, connections, err, &log)
		}
		if tt.limit > 0 && tt.limit < 1<<20 && !tt.refused && uint64(connections+forStore) > tt.limit {
			t.Errorf("%d files: %d for connections and %d for the store", tt.limit, connections, forStore)
		}
		if tt.warns && (!strings.Contains(log.String(), "maxConnections=10000") || !strings.Contains(log.String(), fmt.Sprint("connections=", connections))) {
			t.Errorf("the warning does not name both numbers: %s", &log)
		}
	}
}

// TestReplayAfterRestart sends again to a server what the one before it has taken,
// which was killed.
func TestReplayAfterRestart(t *testing.T) {
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys.yaml")
	if err := os.WriteFile(keys, []byte(`- {id: AKID, secret: s, account: "111122223333"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	steppe, err := exec.LookPath("steppe")
	if err != nil {
		t.Fatal(err) // TestMain makes it
	}
	start := func() *server {
		s, err := startServer(exec.Command(steppe, "serve", "--data", filepath.Join(dir, "data"), "--keys", keys))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	signer := sigv4.Signer{Credentials: sigv4.Credentials{KeyID: "AKID", Secret: "s"}, Region: "us-east-1", Service: "states"}
	sign := func(endpoint, name string, at time.Time) *http.Request {
		body, _ := json.Marshal(map[string]string{"name": name})
		r, err := http.NewRequest(http.MethodPost, endpoint, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "steppe.example" // the port is another one after the restart
		r.Header.Set("X-Amz-Target", "AWSStepFunctions.CreateActivity")
		signer.Sign(r, sigv4.Hash(body), at)
		return r
	}
	send := func(r *http.Request) int {
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	again := func(r *http.Request, endpoint string) *http.Request {
		to := r.Clone(t.Context())
		fresh, err := http.NewRequest(http.MethodPost, endpoint, nil)
		if err != nil {
			t.Fatal(err)
		}
		to.URL = fresh.URL
		if to.Body, err = r.GetBody(); err != nil {
			t.Fatal(err)
		}
		return to
	}
	s := start()
	requests := []*http.Request{sign(s.endpoint, "now", time.Now()), sign(s.endpoint, "ahead", time.Now().Add(time.Minute))}
	for i, r := range requests {
		if status := send(r); status != http.StatusOK {
			t.Fatalf("request %d: %d", i, status)
		}
	}
	if err := s.kill(); err != nil {
		t.Fatal(err)
	}
	s = start()
	for i, r := range requests {
		if status := send(again(r, s.endpoint)); status == http.StatusOK {
			t.Errorf("request %d was taken again after a restart", i)
		}
	}
	if status := send(sign(s.endpoint, "later", time.Now())); status != http.StatusOK {
		t.Errorf("signed after the start: %d", status)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}
