//go:build unix

package steppe_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/value"
)

// The benchmarks of whole executions: five states, from start to finish,
// through the API and through the library, with the data on disk. The server
// of those through the API is a process of its own, whose CPU time is told
// apart from the client's.

const fiveStates = `{"StartAt":"A","States":{
  "A":{"Type":"Pass","Next":"B"},
  "B":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericGreaterThan":5,"Next":"C"}],"Default":"D"},
  "C":{"Type":"Pass","Result":{"big":true},"ResultPath":"$.c","Next":"D"},
  "D":{"Type":"Pass","Parameters":{"n.$":"$.n","text":"done"},"Next":"E"},
  "E":{"Type":"Succeed"}}}`

const benchInput = `{"n":7,"text":"some payload of an order"}`

// clients are how many executions are under way at once.
var clients = []int{1, 64, 1000}

func BenchmarkHTTP(b *testing.B) {
	for _, kind := range []engine.MachineType{engine.Standard, engine.Express} {
		for _, n := range clients {
			b.Run(fmt.Sprintf("%s/clients=%d", kind, n), func(b *testing.B) {
				s := startBenchServer(b)
				arn := s.create(b, kind)
				operation := "StartExecution"
				if kind == engine.Express {
					operation = "StartSyncExecution"
				}
				body := `{"stateMachineArn":"` + arn + `","input":` + strconv.Quote(benchInput) + `}`
				before := s.cpu(b)
				measure(b, n, func() (func() error, error) {
					c, err := dialBench(s.address)
					if err != nil {
						return nil, err
					}
					return func() error { return c.call(operation, body) }, nil
				})
				b.ReportMetric(float64((s.cpu(b)-before).Microseconds())/float64(b.N), "server-cpu-µs/op")
			})
		}
	}
}

func BenchmarkLibrary(b *testing.B) {
	for _, kind := range []engine.MachineType{engine.Standard, engine.Express} {
		for _, n := range clients {
			b.Run(fmt.Sprintf("%s/clients=%d", kind, n), func(b *testing.B) {
				server, err := steppe.Open(steppe.Config{Dir: b.TempDir()})
				if err != nil {
					b.Fatal(err)
				}
				defer server.Close()
				e := server.Engine()
				m, err := server.StateMachine(b.Context(), "bench", kind, fiveStates)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				measure(b, n, func() (func() error, error) {
					return func() error {
						request := engine.StartRequest{Machine: m, Input: value.NewDoc([]byte(benchInput))}
						if kind == engine.Express {
							_, err := e.StartSync(context.Background(), request)
							return err
						}
						_, err := e.Start(context.Background(), request)
						return err
					}, nil
				})
			})
		}
	}
}

// measure has n clients do b.N calls, and reports rate and latencies.
func measure(b *testing.B, n int, client func() (func() error, error)) {
	b.Helper()
	var next atomic.Int64
	took := make([]time.Duration, b.N)
	var wg sync.WaitGroup
	calls := make([]func() error, n)
	for i := range calls {
		var err error
		if calls[i], err = client(); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for _, call := range calls {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(b.N) {
					return
				}
				start := time.Now()
				if err := call(); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "executions/s")
	b.ReportMetric(float64(took[b.N/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds()), "p99-µs")
}

// benchServerEnv, when it is set, makes the test binary a server for
// benchmarks with the data directory that it names.
const benchServerEnv = "STEPPE_BENCH_DATA"

func TestMain(m *testing.M) {
	if dir := os.Getenv(benchServerEnv); dir != "" {
		if err := serveBench(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveBench serves until its standard input ends. GET /cpu tells the CPU time
// that the process has used, in microseconds.
func serveBench(dir string) error {
	server, err := steppe.Open(steppe.Config{Dir: dir})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", server.Handler())
	mux.HandleFunc("GET /cpu", func(w http.ResponseWriter, _ *http.Request) {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, (u.Utime.Nano()+u.Stime.Nano())/1000)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	hs := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = hs.Close()
	}()
	if err := hs.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return server.Close()
}

type benchServer struct{ address string }

func startBenchServer(b *testing.B) *benchServer {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), benchServerEnv+"="+b.TempDir())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return &benchServer{strings.TrimSpace(line)}
}

func (s *benchServer) create(b *testing.B, kind engine.MachineType) string {
	b.Helper()
	c, err := dialBench(s.address)
	if err != nil {
		b.Fatal(err)
	}
	body := `{"name":"bench","type":"` + string(kind) + `","roleArn":"arn:aws:iam::000000000000:role/r","definition":` + strconv.Quote(fiveStates) + `}`
	if err := c.call("CreateStateMachine", body); err != nil {
		b.Fatal(err)
	}
	return engine.Tenant{Account: steppe.DefaultAccount, Region: steppe.DefaultRegion}.ARN("stateMachine", "bench")
}

func (s *benchServer) cpu(b *testing.B) time.Duration {
	b.Helper()
	response, err := http.Get("http://" + s.address + "/cpu")
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.Fatal(err)
	}
	micros, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(micros) * time.Microsecond
}

// benchClient speaks HTTP with as little of its own as a load generator may.
type benchClient struct {
	conn net.Conn
	in   *textproto.Reader
	host string
	body []byte
}

func dialBench(address string) (*benchClient, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &benchClient{conn: conn, in: textproto.NewReader(bufio.NewReaderSize(conn, 1024)), host: address}, nil
}

func (c *benchClient) call(operation, body string) error {
	_, err := fmt.Fprintf(c.conn, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AWSStepFunctions.%s\r\n"+
		"Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0\r\nContent-Length: %d\r\n\r\n%s",
		c.host, operation, len(body), body)
	if err != nil {
		return err
	}
	status, err := c.in.ReadLineBytes()
	if err != nil {
		return err
	}
	failed := !strings.HasPrefix(string(status), "HTTP/1.1 200 ")
	length := 0
	for {
		line, err := c.in.ReadLineBytes()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			break
		}
		if name, text, _ := strings.Cut(string(line), ": "); name == "Content-Length" {
			if length, err = strconv.Atoi(text); err != nil {
				return err
			}
		}
	}
	c.body = slices.Grow(c.body[:0], length)[:length]
	if _, err := io.ReadFull(c.in.R, c.body); err != nil {
		return err
	}
	if failed {
		return fmt.Errorf("%s answers %s", operation, c.body)
	}
	return nil
}
