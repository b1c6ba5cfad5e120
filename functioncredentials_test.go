package steppe_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/aws/sigv4"
	"github.com/steppehq/steppe/integration/lambda"
)

// records keeps what is logged.
type records struct {
	slog.Handler
	mu  sync.Mutex
	all []slog.Record
}

func (r *records) Handle(_ context.Context, record slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, record)
	return nil
}

func (r *records) Enabled(context.Context, slog.Level) bool { return true }

// TestFunctionOfKeys: where keys are checked, functions have one of their own, of the
// account that they belong to; and the log has whose each line of theirs is.
func TestFunctionOfKeys(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3")
	}
	const alice, bob = "111111111111", "222222222222"
	dir := t.TempDir()
	code := "import os\ndef handler(e, c):\n    print('printed\\nat once')\n    return [os.environ.get('AWS_ACCESS_KEY_ID', ''), os.environ.get('AWS_SECRET_ACCESS_KEY', ''), c.aws_request_id]\n"
	if err := os.WriteFile(filepath.Join(dir, "h.py"), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, tt := range map[string]struct {
		keys    []steppe.Key
		account string
		env     map[string]string
		want    string // the account that the server takes the function for, "" for none
	}{
		"keys of one account": {[]steppe.Key{{ID: "A", Secret: "s", Account: alice}}, "", nil, alice},
		"its own account":     {[]steppe.Key{{ID: "A", Secret: "s", Account: alice}, {ID: "B", Secret: "s", Account: bob}}, bob, nil, bob},
		"credentials given":   {[]steppe.Key{{ID: "A", Secret: "s", Account: alice}}, "", map[string]string{"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s"}, alice},
		"wrong ones given":    {[]steppe.Key{{ID: "A", Secret: "s", Account: alice}}, "", map[string]string{"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "x"}, ""},
		"no keys":             {nil, "", nil, steppe.DefaultAccount},
	} {
		t.Run(what, func(t *testing.T) {
			log := new(records)
			web := httptest.NewUnstartedServer(nil)
			f := steppe.Function{Process: lambda.Process{Name: "f", Runtime: "python", Handler: "h.handler", Dir: dir, Env: tt.env}, Account: tt.account}
			cfg := steppe.Config{Keys: tt.keys, Functions: []steppe.Function{f}, URL: "http://" + web.Listener.Addr().String(), Logger: slog.New(log)}
			if tt.account != "" {
				cfg.Account = tt.account
			}
			server, err := steppe.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			web.Config.Handler = server.Handler()
			web.Start()
			defer web.Close()
			told, err := steppe.Execute[[]string](t.Context(), server, `{"StartAt": "F", "States": {"F": {"Type": "Task", "Resource": "`+server.FunctionARN("f")+`", "End": true}}}`, map[string]int{})
			if err != nil {
				t.Fatal(err)
			}
			identity := identityOf(t, web.URL, sigv4.Credentials{KeyID: told[0], Secret: told[1]})
			if tt.want != "" && !strings.Contains(identity, "<Account>"+tt.want+"</Account>") || tt.want == "" && !strings.Contains(identity, "<Code>SignatureDoesNotMatch</Code>") && !strings.Contains(identity, "InvalidSignature") {
				t.Errorf("%s", identity)
			}
			if err := server.Close(); err != nil {
				t.Fatal(err)
			}
			log.one(t, told[2])
		})
	}
}

// one holds the only record of a function against what it must be.
func (r *records) one(t *testing.T, requestID string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	found := 0
	for _, record := range r.all {
		attributes := make(map[string]string)
		record.Attrs(func(a slog.Attr) bool { attributes[a.Key] = a.Value.String(); return true })
		if attributes["function"] != "f" {
			continue
		}
		found++
		if record.Message != "printed\nat once" || attributes["requestId"] != requestID || !strings.HasPrefix(attributes["executionArn"], "arn:aws:states:us-east-1:") {
			t.Errorf("%q %v", record.Message, attributes)
		}
	}
	if found != 1 {
		t.Errorf("%d records", found)
	}
}

// identityOf asks a server whose a key is.
func identityOf(t *testing.T, url string, key sigv4.Credentials) string {
	t.Helper()
	const body = "Action=GetCallerIdentity&Version=2011-06-15"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sigv4.Signer{Credentials: key, Region: "us-east-1", Service: "sts"}.Sign(req, sigv4.Hash([]byte(body)), time.Now())
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestClientContext: Go code is told the client context of its call.
func TestClientContext(t *testing.T) {
	server, err := steppe.Open(steppe.Config{Functions: []steppe.Function{
		steppe.GoFunction("f", func(ctx context.Context, _ any) (json.RawMessage, error) { return steppe.ClientContext(ctx), nil }),
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for context, want := range map[string]string{`, "ClientContext": "eyJlbnYiOnsiYSI6ImIifX0="`: `{"env":{"a":"b"}}`, "": "null"} {
		definition := `{"StartAt": "F", "States": {"F": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"` + context + `}, "OutputPath": "$.Payload", "End": true}}}`
		if out, err := server.Execute(t.Context(), definition, 1); err != nil || string(out) != want {
			t.Errorf("%s: %s, %v", context, out, err)
		}
	}
	if told := steppe.ClientContext(t.Context()); told != nil {
		t.Errorf("a context of nobody's: %s", told)
	}
}
