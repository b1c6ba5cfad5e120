package front

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/steppehq/steppe/aws/server"
)

// page answers a request of a monitor or a person, and reports whether it was one.
func (f *front) page(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	switch r.URL.Path {
	case "/":
		welcome(w, r)
	case "/healthz":
		monitored(w, nil)
	case "/readyz":
		monitored(w, f.Ready)
	default:
		return false
	}
	return true
}

// monitored answers those who watch over the server: 200 while it is well, 503 with
// the reason while it is not.
func monitored(w http.ResponseWriter, check func() error) {
	status, told := http.StatusOK, map[string]string{"status": "ok"}
	if check != nil {
		if err := check(); err != nil {
			status, told = http.StatusServiceUnavailable, map[string]string{"status": "unavailable", "reason": err.Error()}
		}
	}
	text, _ := json.Marshal(told) // plain strings
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the caller is gone when this fails
}

// about is what the server says of itself.
const about = "This is Steppe. It answers the AWS Step Functions API: point an AWS SDK or the AWS CLI here, as in\n\n" +
	"  aws stepfunctions list-state-machines --endpoint-url SCHEME://HOST\n\n" +
	"Beside it there are /healthz, /readyz and /api/v1/executions.\n"

// welcome shows people what they have found.
func welcome(w http.ResponseWriter, r *http.Request) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	text := strings.NewReplacer("SCHEME", scheme, "HOST", r.Host).Replace(about)
	kind := "text/plain; charset=utf-8"
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		kind = "text/html; charset=utf-8"
		text = "<!doctype html><title>Steppe</title><pre>" + server.XMLText(text) + "</pre>\n"
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write([]byte(text)) // the caller is gone when this fails
}
