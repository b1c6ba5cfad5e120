package api

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/aws/sigv4"
)

// front leads a request to what answers it: the API's operations, the resources
// beyond it, what monitors ask for, and what callers of other services are told.
type front struct {
	operations *server.Server
	resources  http.Handler // of v1Prefix
	identity   http.Handler
	ready      func() error
	others     map[*server.Wire]http.Handler
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The mux would redirect paths with two slashes, which are operations too.
	if strings.HasPrefix(r.URL.Path, v1Prefix) {
		f.resources.ServeHTTP(w, r)
		return
	}
	if service := otherService(r); service != "" {
		f.other(service, r).ServeHTTP(w, r)
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		switch r.URL.Path {
		case "/":
			welcome(w, r)
			return
		case "/healthz":
			monitored(w, nil)
			return
		case "/readyz":
			monitored(w, f.ready)
			return
		}
	}
	f.operations.ServeHTTP(w, r)
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

// welcome tells people what they have found.
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

// queryServices speak AWS's query protocol, and xmlServices REST with XML; the
// others speak JSON.
var (
	queryServices = []string{
		"autoscaling", "cloudformation", "cloudsearch", "elasticache", "elasticbeanstalk", "elasticloadbalancing", "email", "iam", "monitoring",
		"rds", "redshift", "sdb", "sns", "sts",
	}
	xmlServices = []string{"cloudfront", "route53", "s3", "s3-control", "s3express"}
)

const formType = "application/x-www-form-urlencoded"

// otherService is the service that a request is for when that is not Step
// Functions, "" when it is or is not told.
func otherService(r *http.Request) string {
	if target := r.Header.Get("X-Amz-Target"); strings.HasPrefix(target, targetPrefix) {
		return "" // whatever it is signed for: that is a matter of signatures
	}
	if _, scope, ok := sigv4.ScopeOf(r); ok {
		if scope.Service == signedService {
			return ""
		}
		return scope.Service
	}
	if r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), formType) {
		return "the query protocol"
	}
	return ""
}
