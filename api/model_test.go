package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/steppehq/steppe/api"
	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/store/pebble"
	"github.com/steppehq/steppe/value"
)

var (
	steps     = flag.Int("steps", 2000, "number of steps of the model test")
	modelSeed = flag.Uint64("modelseed", 1, "seed of the model test")
)

// TestModel calls all operations that change something, at random, and holds
// what each is answered against a model of AWS's rules, and what the service
// tells of all that it has. Time passes, up to weeks at a time, and the server
// ends in between: orderly, or by a power cut that takes all that was not
// synced.
//
// It has been seen to fail within 3,000 steps with seed 1 when
//   - a version can be deleted that an alias leads to, an alias can lead to
//     versions that are not there, or a deleted version's number is given again,
//   - TagResource does not keep the tags, or a new role makes no revision,
//   - the catalogue, or the commits, are not synced,
//   - a machine is gone before its executions have ended, they go on through its
//     states, or a restart forgets that it is to go,
//   - a name is not free after 90 days, a redrive is possible after 14, or its
//     client token does not count,
//   - what is another account's is seen, or the token of an attempt before is
//     taken,
//   - a restart forgets when a heartbeat is due.
func TestModel(t *testing.T) {
	w := newWorld(t, *modelSeed)
	for w.step < *steps && !t.Failed() {
		w.step++
		w.pass()
		w.act()
		w.look()
		if w.random.IntN(400) == 0 {
			w.restart()
		}
		if w.random.IntN(500) == 0 {
			w.compareAll()
		}
	}
	if !t.Failed() {
		w.restart()
		w.compareAll()
	}
	if t.Failed() {
		t.Logf("repeat it with -steps %d -modelseed %d; the last calls:\n%s", *steps, *modelSeed, strings.Join(w.trail, "\n"))
	}
	w.close()
	t.Logf("%d steps, %d calls, %d restarts, %v passed; %d machines and %d executions are there at the end; %v", w.step, w.calls, w.restarts,
		w.now.Sub(began), len(w.m.machines), len(w.m.executions), w.answers())
}

// keyID is the customers' key that there is.
const keyID = "alias/k"

// What callers of the model have.
var (
	accounts = []string{"000000000000", "111122223333"}
	comments = []string{"a", "b"}
	began    = time.UnixMilli(1_700_000_000_000).UTC()
)

// retention is how long executions are kept after their end, and retentionLag
// how long they may be there after that.
const (
	retention    = 90 * 24 * 3600 * 1000
	retentionLag = 10 * 60 * 1000
)

func arnOf(account, kind, name string) string {
	return "arn:aws:states:us-east-1:" + account + ":" + kind + ":" + name
}

// world is the service under test, with the model of it. Everything happens in
// one goroutine, at the times of a clock that stands still otherwise.
type world struct {
	t        *testing.T
	random   *rand.Rand
	m        *model
	now      time.Time
	disk     *vfs.MemFS
	store    *pebble.DB
	engine   *engine.Engine
	api      http.Handler
	jobs     []func() // that the engine wants done
	asks     []ask
	pages    []page
	trail    []string // the last calls
	step     int
	calls    int
	restarts int
	counts   map[string]int // of answers, by operation and exception
}

// ask is a request to answer by token.
type ask struct{ execution, token string }

// page is where a list went on when it was read.
type page struct {
	account, operation string
	in                 obj
	expires            time.Time
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, random: rand.New(rand.NewPCG(seed, 11)), m: newModel(), now: began, disk: vfs.NewCrashableMem(), counts: make(map[string]int),
	}
	w.m.now = w.now.UnixMilli()
	w.open()
	return w
}

func (w *world) open() {
	var err error
	if w.store, err = pebble.Open("data", pebble.Options{FS: w.disk, Shards: 4, MemTableSize: 4 << 20, CacheSize: 4 << 20}); err != nil {
		w.t.Fatal(err)
	}
	var registry integration.Registry
	registry.Register("fake", asker{w})
	w.jobs = nil
	w.engine, err = engine.Open(context.Background(), engine.Config{
		Store: w.store, Integrations: &registry, EncryptionKeys: []catalogue.EncryptionKey{{ID: keyID, Key: make([]byte, 32)}}, Clock: func() time.Time { return w.now }, Random: bytesOf{w.random},
		Go: func(work func()) { w.jobs = append(w.jobs, work) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	port := server.NewPort(&server.Authorizer{Account: accounts[0], Region: "us-east-1"}, 0, slog.New(slog.DiscardHandler))
	w.api = handler(w.t, api.Config{Engine: w.engine, Integrations: &registry, Port: port, ActivityPoll: time.Nanosecond})
	w.engine.Tick(context.Background(), w.now)
	w.drain()
}

// bytesOf gives the bytes of a seeded source.
type bytesOf struct{ random *rand.Rand }

func (b bytesOf) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b.random.Uint32())
	}
	return len(p), nil
}

var _ io.Reader = bytesOf{}

// asker is a service that is asked to answer by token.
type asker struct{ w *world }

func (asker) Supports(asl.Resource) error { return nil }

func (a asker) Perform(_ context.Context, task integration.Task) (*value.Doc, error) {
	in := task.Input.Value()
	a.w.asks = append(a.w.asks, ask{in.Get("execution").Str(), in.Get("token").Str()})
	return value.NewDoc([]byte("{}")), nil
}

// drain does all that the engine wants done now.
func (w *world) drain() {
	for len(w.jobs) > 0 {
		i := w.random.IntN(len(w.jobs))
		job := w.jobs[i]
		w.jobs = slices.Delete(w.jobs, i, i+1)
		job()
	}
}

// close ends the server.
func (w *world) close() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.engine.Close(ended); err != nil {
		w.t.Error(err)
	}
	w.drain() // nothing comes of it any more
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
}

// restart ends the server and begins it anew. Half of the time the power is cut
// before the server has done what its last answer brought about.
func (w *world) restart() {
	w.restarts++
	orderly := w.random.IntN(2) == 0
	w.note("restart, orderly: %v", orderly)
	left := w.disk
	if !orderly {
		left = w.disk.CrashClone(vfs.CrashCloneCfg{})
	}
	w.close()
	w.disk = left
	w.m.restart()
	w.open()
	w.learn()
}

// pass lets some time pass. What becomes due happens when it is due.
func (w *world) pass() {
	var d time.Duration
	switch n := w.random.IntN(1000); {
	case n < 700:
		d = time.Duration(w.random.Int64N(int64(5 * time.Second)))
	case n < 920:
		d = time.Duration(w.random.Int64N(int64(time.Hour)))
	case n < 990:
		d = time.Duration(w.random.Int64N(int64(24 * time.Hour)))
	default:
		d = time.Duration(w.random.Int64N(int64(20 * 24 * time.Hour)))
	}
	to := w.now.Add(d + time.Millisecond)
	for range 10_000 {
		next := w.engine.NextDue()
		if next == 0 || next > to.UnixMilli() {
			break
		}
		if at := time.UnixMilli(next); at.After(w.now) {
			w.now = at
		}
		w.engine.Tick(context.Background(), w.now)
		w.drain()
	}
	w.now = to
	w.engine.Tick(context.Background(), to)
	w.drain()
	w.note("%v", w.now.Sub(began))
	w.m.pass(to.UnixMilli())
	w.learn()
	w.forget()
}

// learn takes the tokens that services were asked to answer by.
func (w *world) learn() {
	for _, a := range w.asks {
		if wrong := w.m.asked(a.execution, a.token); wrong != "" {
			w.wrong("%s", wrong)
		}
	}
	w.asks = nil
	if len(w.m.asking) > 0 {
		w.wrong("nobody was asked for a task of %s", w.m.asking[0].of.arn)
	}
}

// forget has the model forget the executions that have expired. For a while
// both is right.
func (w *world) forget() {
	for _, x := range slices.Clone(w.m.order) {
		expires := x.stop + retention
		if x.running() || expires > w.m.now {
			continue
		}
		_, got := w.call(x.account(), "DescribeExecution", obj{"executionArn": x.arn})
		switch there := got.str("__type") != "ExecutionDoesNotExist"; {
		case !there:
			w.m.forget(x)
		case w.m.now > expires+retentionLag:
			w.wrong("%s is there, %v after its end", x.arn, time.Duration(w.m.now-x.stop)*time.Millisecond)
		}
	}
}

// do makes a call that changes something and holds its answer against the model.
func (w *world) do(account, operation string, in obj) {
	want := rules[operation](w.m, account, in)
	status, got := w.call(account, operation, in)
	if !w.compare(operation, in, want, status, got) {
		return
	}
	if want.learn != nil && want.exception == "" {
		if wrong := want.learn(w, got); wrong != "" {
			w.wrong("%s %v: %s", operation, in, wrong)
		}
	}
	w.counts[operation+" "+want.exception]++
	if w.random.IntN(400) == 0 {
		w.restart() // before anything else is done
	}
	w.drain()
	w.learn()
}

var codes = map[string]int{"": http.StatusOK, "ConflictException": http.StatusConflict, "ServiceQuotaExceededException": http.StatusPaymentRequired}

// compare holds an answer against the one that the model gives.
func (w *world) compare(operation string, in obj, want reply, status int, got obj) bool {
	for _, other := range want.others {
		if other.exception == got.str("__type") {
			want = other
		}
	}
	code := codes[want.exception]
	if code == 0 {
		code = http.StatusBadRequest
	}
	body := want.body
	if want.exception != "" {
		body = obj{"__type": want.exception, "message": unknown}
		for _, member := range []string{"reason", "resourceName"} {
			body[member] = optional
		}
		if want.reason != "" {
			body["reason"] = want.reason
		}
	}
	if difference := differ("", body, got); difference != "" || status != code {
		w.wrong("%s %v\n got %d %v\nwant %d %v\n%s", operation, in, status, got, code, body, difference)
		return false
	}
	return true
}

// call makes a call as an account.
func (w *world) call(account, operation string, in obj) (int, obj) {
	w.calls++
	body, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	w.note("%s %s %s", account, operation, body)
	r := httptest.NewRequest(http.MethodPost, "http://localhost/", bytes.NewReader(body))
	r.Header.Set("X-Amz-Target", "AWSStepFunctions."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+account+"/20260101/us-east-1/states/aws4_request, SignedHeaders=host, Signature=x")
	answer := httptest.NewRecorder()
	w.api.ServeHTTP(answer, r)
	var got obj
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
		w.wrong("%s answers %q", operation, answer.Body)
	}
	return answer.Code, got.normal()
}

func (w *world) note(format string, args ...any) {
	if len(w.trail) == 40 {
		w.trail = slices.Delete(w.trail, 0, 1)
	}
	w.trail = append(w.trail, fmt.Sprintf("%d: ", w.step)+fmt.Sprintf(format, args...))
}

func (w *world) wrong(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("step %d: %s", w.step, fmt.Sprintf(format, args...))
}

// answers tells how often each operation was answered what.
func (w *world) answers() string {
	var lines []string
	for what, n := range w.counts {
		lines = append(lines, fmt.Sprintf("\n%s: %d", what, n))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// obj is an object of JSON.
type obj map[string]any

func (o obj) str(member string) string {
	s, _ := o[member].(string)
	return s
}

func (o obj) opt(member string) *string {
	s, ok := o[member].(string)
	if !ok {
		return nil
	}
	return &s
}

func (o obj) text(member, s string) {
	if s != "" {
		o[member] = s
	}
}

func (o obj) time(member string, millis int64) {
	if millis != 0 {
		o[member] = seconds(millis)
	}
}

// normal turns all objects inside into obj.
func (o obj) normal() obj {
	for member, v := range o {
		o[member] = normal(v)
	}
	return o
}

func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return obj(v).normal()
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	}
	return v
}

// seconds is a time as the API gives it.
func seconds(millis int64) float64 { return float64(millis) / 1000 }

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

// wildcard stands for values that the model does not know.
type wildcard int

const (
	unknown  wildcard = iota // some text
	optional                 // anything, or nothing
)

// differ tells where a value is not the one that is wanted, "" when it is.
func differ(path string, want, got any) string {
	switch want := want.(type) {
	case wildcard:
		if s, ok := got.(string); want == unknown && (!ok || s == "") {
			return path + " is no text"
		}
		return ""
	case obj:
		o, ok := got.(obj)
		if !ok {
			return path + " is no object"
		}
		for member := range o {
			if _, wanted := want[member]; !wanted {
				return path + "." + member + " is too much"
			}
		}
		for member, v := range want {
			if _, there := o[member]; !there && v != optional {
				return path + "." + member + " is missing"
			}
			if d := differ(path+"."+member, v, o[member]); d != "" {
				return d
			}
		}
		return ""
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Sprintf("%s has %d items, not %d", path, len(list), len(want))
		}
		for i := range want {
			if d := differ(fmt.Sprintf("%s[%d]", path, i), want[i], list[i]); d != "" {
				return d
			}
		}
		return ""
	}
	if !equal(want, got) {
		return fmt.Sprintf("%s is %v, not %v", path, got, want)
	}
	return ""
}
