package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/engine/enginetest"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
	"github.com/steppehq/steppe/transfer"
	"github.com/steppehq/steppe/value"
)

// key makes a key of the same byte again and again.
func key(id string, b byte) catalogue.EncryptionKey {
	return catalogue.EncryptionKey{ID: id, Key: bytes.Repeat([]byte{b}, 32)}
}

// encrypted is the configuration of a machine that a customer's key encrypts.
func encrypted(id string) json.RawMessage {
	return json.RawMessage(`{"kmsKeyId":"` + id + `","kmsDataKeyReusePeriodSeconds":300,"type":"CUSTOMER_MANAGED_KMS_KEY"}`)
}

// createEncrypted makes a machine with a configuration of encryption, or nil.
func createEncrypted(t testing.TB, e *engine.Engine, name, definition string, configuration json.RawMessage) *catalogue.Machine {
	t.Helper()
	parsed, diagnostics := asl.Parse([]byte(definition))
	if parsed == nil {
		t.Fatal(diagnostics)
	}
	m, err := e.Catalogue().CreateMachine(t.Context(), catalogue.Machine{Tenant: tenant, Name: name, Type: catalogue.Standard, Definition: definition, Encryption: configuration}, parsed)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// encryptFromNow updates a machine.
func encryptFromNow(t *testing.T, e *engine.Engine, m *catalogue.Machine, id string) *catalogue.Machine {
	t.Helper()
	changed := *m
	changed.Encryption = encrypted(id)
	put, err := e.Catalogue().PutMachine(t.Context(), changed, m.Parsed(), true)
	if err != nil {
		t.Fatal(err)
	}
	return put
}

// life is an engine that a test ends before the next one takes its store.
type life struct {
	*engine.Engine
	log bytes.Buffer
	end func()
}

func live(t *testing.T, cfg engine.Config) *life {
	t.Helper()
	l := new(life)
	cfg.Logger = slog.New(slog.NewTextHandler(&l.log, nil))
	l.Engine, l.end = enginetest.OpenUntil(t, cfg)
	return l
}

// service asks for its token to be sent back, or works until its engine ends,
// the first time.
type service struct {
	began  chan struct{}
	token  string
	worked int
}

func (*service) Supports(asl.Resource) error { return nil }

func (s *service) Perform(ctx context.Context, task integration.Task) (*value.Doc, error) {
	if task.Resource.Pattern == asl.WaitForTaskToken {
		s.token = task.Input.Value().Get("token").Str()
		close(s.began)
		return doc("{}"), nil
	}
	if s.worked++; s.worked == 1 {
		close(s.began)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return doc(`"worked"`), nil
}

// TestKeyIsMissing: executions whose key is gone after a restart wait for it,
// whatever they are at, and go on when it is back.
func TestKeyIsMissing(t *testing.T) {
	machines := map[string]string{
		"timer": `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":90,"Next":"B"},"B":{"Type":"Wait","Seconds":3600,"End":true}}}`,
		"token": `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::fake:ask.waitForTaskToken","Parameters":{"token.$":"$$.Task.Token"},"End":true}}}`,
		"task":  `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::fake:work","End":true}}}`,
	}
	for name, definition := range machines {
		for _, other := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				fake := &service{began: make(chan struct{})}
				var registry integration.Registry
				registry.Register("fake", fake)
				cfg := engine.Config{Store: memory.New(memory.Options{}), Integrations: &registry, EncryptionKeys: []catalogue.EncryptionKey{key("k", 1)}}
				first := live(t, cfg)
				m := createEncrypted(t, first.Engine, name, definition, encrypted("k"))
				started, err := first.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")})
				if err != nil {
					t.Fatal(err)
				}
				if name != "timer" {
					<-fake.began
				}
				synctest.Wait()
				first.end()

				without := cfg
				without.EncryptionKeys = nil
				if other {
					without.EncryptionKeys = []catalogue.EncryptionKey{key("k", 2)}
				}
				keyless(t, live(t, without), started.ARN, fake.token, catalogue.KeyError{ID: "k", Other: other})

				again := live(t, cfg)
				if fake.token != "" {
					if err := again.SendTask(t.Context(), fake.token, interpreter.Message{Kind: interpreter.TaskSucceeded, Output: doc(`"sent"`)}); err != nil {
						t.Error(err)
					}
				}
				d, err := again.Wait(t.Context(), started.ARN)
				if err != nil || d.Status != store.Succeeded {
					t.Errorf("%s: %+v, %v", name, d, err)
				}
				again.end()
			})
		}
	}
}

// keyless lets an hour pass in an engine that has not the key of an execution.
func keyless(t *testing.T, l *life, arn, token string, want catalogue.KeyError) {
	t.Helper()
	time.Sleep(time.Hour)
	refused := func(what string, err error) {
		t.Helper()
		if got, ok := errors.AsType[*catalogue.KeyError](err); !ok || *got != want {
			t.Errorf("%s: %v, want %v", what, err, &want)
		}
	}
	_, err := l.Describe(t.Context(), arn)
	refused("describe", err)
	_, err = l.Stop(t.Context(), arn, history.ErrorOutput{})
	refused("stop", err)
	_, err = l.Fork(t.Context(), engine.ForkRequest{ARN: arn})
	refused("fork", err)
	if token != "" {
		refused("send task", l.SendTask(t.Context(), token, interpreter.Message{Kind: interpreter.TaskHeartbeat}))
	}
	if d, err := l.Summary(t.Context(), arn); err != nil || d.Status != store.Running {
		t.Errorf("%+v, %v", d, err)
	}
	l.end()
	if token != "" {
		return // nothing has asked for it but the calls
	}
	if lines := strings.Split(l.log.String(), "\n"); len(lines) != 2 || !strings.Contains(lines[0], "executions wait until the server is started with their encryption key") {
		t.Errorf("it is to be told once:\n%s", &l.log)
	}
}

// TestKeyIsRenamed: with another id a key still decrypts, but encrypts nothing
// for the one that it had.
func TestKeyIsRenamed(t *testing.T) {
	cfg := engine.Config{Store: memory.New(memory.Options{}), Integrations: new(integration.Registry), EncryptionKeys: []catalogue.EncryptionKey{key("k", 1)}}
	first := live(t, cfg)
	m := createEncrypted(t, first.Engine, "m", `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":1000,"End":true}}}`, encrypted("k"))
	started, err := first.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`"in"`)})
	if err != nil {
		t.Fatal(err)
	}
	first.end()
	cfg.EncryptionKeys = []catalogue.EncryptionKey{key("renamed", 1)}
	second := live(t, cfg)
	defer second.end()
	if d, err := second.Describe(t.Context(), started.ARN); err != nil || d.Input.String() != `"in"` {
		t.Errorf("%+v, %v", d, err)
	}
	missing := catalogue.KeyError{ID: "k"}
	if _, err := second.Stop(t.Context(), started.ARN, history.ErrorOutput{}); err == nil || err.Error() != missing.Error() {
		t.Errorf("stop: %v", err)
	}
	if m, err = second.Catalogue().Machine(t.Context(), m.ARN()); err != nil || m.Locked() != nil {
		t.Fatal(err, m.Locked())
	}
	if _, err := second.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`"in"`)}); err == nil || err.Error() != missing.Error() {
		t.Errorf("start: %v", err)
	}
	if _, err := second.Fork(t.Context(), engine.ForkRequest{ARN: started.ARN}); err == nil || err.Error() != missing.Error() {
		t.Errorf("fork: %v", err)
	}
}

// TestConfigurationWithoutKeys: an engine without keys keeps configurations,
// warns, and encrypts nothing; one with keys does so from then on.
func TestConfigurationWithoutKeys(t *testing.T) {
	db := memory.New(memory.Options{})
	const definition = `{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}`
	start := func(l *life, m *catalogue.Machine) bool {
		t.Helper()
		started, err := l.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc(`{}`)})
		if err != nil {
			t.Fatal(err)
		}
		id, err := l.Find(t.Context(), started.ARN)
		if err != nil {
			t.Fatal(err)
		}
		chunks, err := db.History(t.Context(), id, 1, 0, false)
		if err != nil || len(chunks) != 1 {
			t.Fatal(chunks, err)
		}
		return catalogue.Sealed(chunks[0].Data)
	}
	without := live(t, engine.Config{Store: db, Integrations: new(integration.Registry)})
	m := createEncrypted(t, without.Engine, "m", definition, encrypted("k"))
	if err := without.Catalogue().PutActivity(t.Context(), catalogue.Activity{Tenant: tenant, Name: "a", Encryption: encrypted("k")}); err != nil {
		t.Fatal(err)
	}
	if start(without, m) {
		t.Error("it is encrypted, with what?")
	}
	without.end()
	for _, arn := range []string{m.ARN(), tenant.ARN("activity", "a")} {
		if want := "level=WARN msg=\"no encryption keys were given: what is stored for this is not encrypted, although its configuration names a key\" arn=" + arn + "\n"; !strings.Contains(without.log.String(), want) {
			t.Errorf("%s is not told of:\n%s", arn, &without.log)
		}
	}

	with := live(t, engine.Config{Store: db, Integrations: new(integration.Registry), EncryptionKeys: []catalogue.EncryptionKey{key("k", 1)}})
	defer with.end()
	m, err := with.Catalogue().Machine(t.Context(), m.ARN())
	if err != nil {
		t.Fatal(err)
	}
	if !start(with, m) {
		t.Error("it is not encrypted, although the key is there")
	}
	entries, err := db.Scan(t.Context(), "", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if bytes.Contains(entry.Value, []byte("StartAt")) {
			t.Errorf("%s is not encrypted, although the key is there: %s", entry.Key, entry.Value)
		}
	}
	if with.log.Len() > 0 {
		t.Errorf("what is there to tell? %s", &with.log)
	}
}

// TestKeyOfTheStart: an execution keeps the key that its machine had when it
// started, and so does a fork of it.
func TestKeyOfTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := memory.New(memory.Options{})
		keys := []catalogue.EncryptionKey{key("old", 1), key("new", 2)}
		e := open(t, engine.Config{Store: db, EncryptionKeys: keys})
		const definition = `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":90,"Next":"B"},"B":{"Type":"Succeed"}}}`
		m := createEncrypted(t, e, "m", definition, encrypted("old"))
		var arns []string
		note := func(started engine.Started, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			arns = append(arns, started.ARN)
		}
		note(e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")}))
		m = encryptFromNow(t, e, m, "new")
		note(e.Fork(t.Context(), engine.ForkRequest{ARN: arns[0]}))
		note(e.Fork(t.Context(), engine.ForkRequest{ARN: arns[0], Definition: strings.Replace(definition, "90", "30", 1)}))
		note(e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")}))
		note(e.Fork(t.Context(), engine.ForkRequest{ARN: arns[3], Definition: strings.Replace(definition, "90", "30", 1)}))
		for i, arn := range arns {
			if d, err := e.Wait(t.Context(), arn); err != nil || d.Status != store.Succeeded {
				t.Fatal(d, err)
			}
			id, err := e.Find(t.Context(), arn)
			if err != nil {
				t.Fatal(err)
			}
			record, err := db.Execution(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			chunks, err := db.History(t.Context(), id, 1, 0, false)
			if err != nil {
				t.Fatal(err)
			}
			checker, err := transfer.NewChecker(db, keys[i/3:][:1])
			if err != nil {
				t.Fatal(err)
			}
			if wrong := checker.Check(t.Context(), record, chunks); wrong != "" || len(checker.Locked()) > 0 {
				t.Errorf("execution %d with the key %s: %s %v", i, keys[i/3].ID, wrong, checker.Locked())
			}
		}
	})
}

// TestCheckTellsDamage: a chunk that was changed, or put elsewhere, is told from
// one whose key is missing.
func TestCheckTellsDamage(t *testing.T) {
	db := memory.New(memory.Options{})
	keys := []catalogue.EncryptionKey{key("k", 1)}
	e := open(t, engine.Config{Store: db, EncryptionKeys: keys})
	m := createEncrypted(t, e, "m", `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":1000,"End":true}}}`, encrypted("k"))
	var records []*store.Record
	var chunks [][]store.Chunk
	for range 2 {
		started, err := e.Start(t.Context(), engine.StartRequest{Machine: m, Input: doc("{}")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Stop(t.Context(), started.ARN, history.ErrorOutput{}); err != nil {
			t.Fatal(err)
		}
		id, err := e.Find(t.Context(), started.ARN)
		if err != nil {
			t.Fatal(err)
		}
		r, err := db.Execution(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		c, err := db.History(t.Context(), id, 1, 0, false)
		if err != nil || len(c) != 2 {
			t.Fatal(c, err)
		}
		records, chunks = append(records, r), append(chunks, c)
	}
	changed := bytes.Clone(chunks[0][1].Data)
	changed[len(changed)-1]++
	plain := history.Encode(nil, []history.Event{{ID: 1, Type: history.ExecutionStarted}})
	const damaged = "is damaged, or belongs elsewhere"
	with := func(first, last []byte) []store.Chunk {
		return []store.Chunk{{First: chunks[0][0].First, Last: chunks[0][0].Last, Data: first}, {First: chunks[0][1].First, Last: chunks[0][1].Last, Data: last}}
	}
	for name, tt := range map[string]struct {
		keys   []catalogue.EncryptionKey
		chunks []store.Chunk
		want   string
		locked int
	}{
		"as it is":            {keys, chunks[0], "", 0},
		"without the key":     {nil, chunks[0], "", 1},
		"with another key":    {[]catalogue.EncryptionKey{key("k", 2)}, chunks[0], "", 1},
		"changed":             {keys, with(chunks[0][0].Data, changed), damaged, 0},
		"of another one":      {keys, with(chunks[1][0].Data, chunks[0][1].Data), damaged, 0},
		"in the wrong order":  {keys, with(chunks[0][1].Data, chunks[0][0].Data), damaged, 0},
		"not encrypted":       {keys, with(plain, chunks[0][1].Data), "the events 1 to 2 are not encrypted, and all of the execution's are to be", 0},
		"nothing but a byte":  {keys, with(chunks[0][0].Data[:1], chunks[0][1].Data), damaged, 0},
		"a byte, and no keys": {nil, with(chunks[0][0].Data[:1], chunks[0][1].Data), damaged, 0},
	} {
		checker, err := transfer.NewChecker(db, tt.keys)
		if err != nil {
			t.Fatal(err)
		}
		got := checker.Check(t.Context(), records[0], tt.chunks)
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) || len(checker.Locked()) != tt.locked {
			t.Errorf("%s: %q, %v, want %q and %d", name, got, checker.Locked(), tt.want, tt.locked)
		}
	}
}
