package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/internal/door"
	"github.com/steppehq/steppe/interpreter"
)

// server is one of the workloads.
type server struct {
	*steppe.Server
	gaps gaps
}

// open opens a server: AWS's limits but for the length of histories, which a Map
// over 10,000 items exceeds. The fields are indexed.
func open(dir string, index ...string) (s *server, err error) {
	limits := interpreter.AWSLimits
	limits.Events = 0
	s = &server{gaps: gaps{answered: make(map[string]answered)}}
	functions := []steppe.Function{steppe.GoFunction(FunctionName, s.gaps.echo), steppe.GoFunction(FaultName, faulty)}
	s.Server, err = steppe.Open(steppe.Config{Dir: dir, Limits: limits, Index: index, Functions: functions})
	return s, err
}

// Usage is what a server has used, and holds.
type Usage struct {
	CPU      time.Duration
	Resident int64
	WAL      uint64 // bytes written to the log
	Disk     uint64 // bytes of the data directory
	// Heap is the bytes of Go's heap that were live when the garbage was collected
	// last, without the store's cache and memtables.
	Heap       int64
	Goroutines int
	Files      int // that are open, 0 where the system does not tell
	// GapP50 and GapP99 are of the times between an execution's tasks.
	GapP50, GapP99 time.Duration
}

// usage reads what the process has used.
func (s *server) usage() Usage {
	cpu, resident := usage()
	stats := s.Stats()
	files, _ := os.ReadDir("/proc/self/fd") // none, where there is no such directory
	p50, p99 := s.gaps.percentiles()
	return Usage{
		GapP50: p50, GapP99: p99, CPU: cpu, Resident: resident, WAL: stats.WALBytes, Disk: stats.DiskBytes,
		Heap: liveHeap(), Goroutines: runtime.NumGoroutine(), Files: len(files),
	}
}

// Serve serves the workloads until its standard input ends, for [Start]. Beside
// the API it has GET /bench/wait?arn=ARN, which answers at the execution's end,
// GET /bench/usage, and POST /bench/empty, which reads its request and answers.
func Serve(dir string, index []string, in io.Reader, out io.Writer) error {
	server, err := open(dir, index...)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", server.Handler())
	mux.HandleFunc("GET /bench/wait", func(w http.ResponseWriter, r *http.Request) {
		d, err := server.Engine().Wait(r.Context(), r.URL.Query().Get("arn"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, d.Status.String()) // the client is gone when this fails
	})
	mux.HandleFunc("GET /bench/usage", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("rest") {
			debug.FreeOSMemory()
			debug.FreeOSMemory() // what a sync.Pool holds goes at the second time
		}
		_ = json.NewEncoder(w).Encode(server.usage()) // the client is gone when this fails
	})
	mux.HandleFunc("POST "+emptyPath, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the client is gone when this, or the other, fails
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, `{"startDate":1,"executionArn":"arn:aws:states:us-east-1:000000000000:execution:bench:none"}`)
	})
	return errors.Join(Listen(mux, in, out), server.Close())
}

// maxConnections is as many as `steppe serve` has, or about so.
const maxConnections = 4096

// Listen has a handler answer at a free port of this machine, which it writes
// into out, until in ends: the side of a server process that [Start] talks to.
func Listen(handler http.Handler, in io.Reader, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, listener.Addr())
	hs := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ConnContext: door.WithConnection}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		_ = hs.Close()
	}()
	bounded := door.Limit(listener, maxConnections, slog.New(slog.DiscardHandler))
	if err := hs.Serve(bounded); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Process is a server in a process of its own.
type Process struct {
	Address string
	cmd     *exec.Cmd
	in      io.Closer
}

// Start starts a server process: command is what runs [Serve], or whatever else
// ends in [Listen].
func Start(command []string) (*Process, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the server does not start: %w", err), cmd.Wait())
	}
	return &Process{line[:len(line)-1], cmd, in}, nil
}

// Usage asks what the server has used.
func (p *Process) Usage(rest bool) (Usage, error) {
	var u Usage
	c, err := Dial(p.Address)
	if err != nil {
		return u, err
	}
	defer c.Close() //nolint:errcheck // it was read
	path := "/bench/usage"
	if rest {
		path += "?rest"
	}
	text, err := c.Get(path)
	if err != nil {
		return u, err
	}
	return u, json.Unmarshal(text, &u)
}

// Stop ends the server, cleanly.
func (p *Process) Stop() error {
	return errors.Join(p.in.Close(), p.cmd.Wait())
}

// Kill ends the server as a crash would.
func (p *Process) Kill() error {
	err := p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it was killed
	return err
}

// killed kills a server, starts it again by its command, and returns the seconds
// until it has answered for the first time.
func killed(p *Process, command []string) (again *Process, seconds float64, err error) {
	if err := p.Kill(); err != nil {
		return nil, 0, err
	}
	begin := time.Now()
	if again, err = Start(command); err != nil {
		return nil, 0, err
	}
	if _, err := again.Usage(false); err != nil {
		return nil, 0, errors.Join(err, again.Stop())
	}
	return again, time.Since(begin).Seconds(), nil
}

// diskOf is the size of all files of a directory.
func diskOf(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil // what goes away meanwhile has no size
	})
	return size
}

// compacted is the size of a data directory after its server was closed and
// what is obsolete was compacted away.
func compacted(dir string) (int64, error) {
	s, err := open(dir)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(s.Compact(context.Background()), s.Close()); err != nil {
		return 0, err
	}
	runtime.GC()
	return diskOf(dir), nil
}
