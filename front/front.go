// Package front is where all requests of a port come in: it finds the service that
// a request is for, and hands it on.
//
// Callers of AWS say in several places which service they mean, and servers on
// one port must believe the right one. The first of these decides:
//
//  1. The path of a resource beside the services: /api/v1/, which no AWS protocol
//     uses.
//  2. X-Amz-Target, in whose first part the JSON protocols name the service, signed
//     or not: AWSStepFunctions.StartExecution.
//  3. The credential scope of the signature, in the header or the query:
//     KEY/20260301/us-east-1/sqs/aws4_request. It is what distinguishes services that
//     speak Query or REST.
//  4. A form without a signature: the query protocol, whose service only the body
//     names.
//  5. A page for monitors and people: /healthz, /readyz, /.
//  6. The host, as SDKs make it of an endpoint: sqs.us-east-1.localhost,
//     bucket.s3.localhost, sync-states.localhost.
//
// What names no service is for the first one. A request for a service that is not
// served is refused in the protocol of its caller, by name.
//
// The front authorizes no caller: only the service knows which operation a request is
// for, whether it changes something, how its exceptions look, and whether its body
// may be read before. A service that is a [server.Server] authorizes by its own
// name, so that a signature for one is not good for another, and the port that all
// share remembers what came before.
//
// Stability: may move in any minor release.
package front

import (
	"net"
	"net/http"
	"strings"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/aws/sigv4"
	"github.com/steppehq/steppe/internal/door"
)

// Service is a service of AWS. It authorizes its requests itself: [server.Server]
// does.
type Service interface {
	// Name returns the name by which signatures are scoped to it, and hosts called:
	// "states".
	Name() string
	// Target returns what stands before its operations in X-Amz-Target, with the dot:
	// "AWSStepFunctions."; "" for a service whose protocol knows no targets.
	Target() string
	http.Handler
}

// Config is what stands behind a front. Port and Services are required.
type Config struct {
	// Port is that of the services.
	Port *server.Port
	// Services are those served, each with another name. The first one answers what
	// names none.
	Services []Service
	// Resources are what stands beside the services, by the beginning of their
	// paths: "/api/v1/". They authorize their requests themselves, and take JSON.
	Resources map[string]http.Handler
	// Ready returns why the server should get no new work now; nil: it may always.
	Ready func() error
	// Hosts are names by which the server may be called without keys, beside those
	// of the loopback interface; Origins those of the web pages that may call it.
	Hosts, Origins []string
}

// front leads requests to what answers them.
type front struct {
	Config
	prefixes []string           // of resources
	named    map[string]Service // by name
	targeted map[string]Service // by target
}

// New returns the handler of a port. An error reports which host or origin is
// none.
func New(cfg Config) (http.Handler, error) {
	f := &front{Config: cfg, named: make(map[string]Service), targeted: make(map[string]Service)}
	for _, s := range cfg.Services {
		f.named[s.Name()] = s
		if target := s.Target(); target != "" {
			f.targeted[target] = s
		}
	}
	for prefix := range cfg.Resources {
		f.prefixes = append(f.prefixes, prefix)
	}
	guard, err := door.NewGuard(door.Guard{
		Hosts: cfg.Hosts, Origins: cfg.Origins, Signed: len(cfg.Port.Authorizer.Keys) > 0, Prefixes: f.prefixes,
	}, cfg.Port.Log)
	if err != nil {
		return nil, err
	}
	return guard.Handler(f), nil
}

// ServeHTTP hands a request on. The order is that of the package comment.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A mux would redirect paths with two slashes, which are operations too.
	for _, prefix := range f.prefixes {
		if strings.HasPrefix(r.URL.Path, prefix) {
			f.Resources[prefix].ServeHTTP(w, r)
			return
		}
	}
	target := r.Header.Get("X-Amz-Target")
	if s := f.targeted[target[:strings.LastIndexByte(target, '.')+1]]; s != nil {
		s.ServeHTTP(w, r)
		return
	}
	if _, scope, ok := sigv4.ScopeOf(r); ok {
		if s := f.named[scope.Service]; s != nil {
			s.ServeHTTP(w, r)
		} else {
			f.refuse(w, r, scope.Service)
		}
		return
	}
	if r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), formType) {
		f.refuse(w, r, "")
		return
	}
	if f.page(w, r) {
		return
	}
	f.byHost(r.Host).ServeHTTP(w, r)
}

// byHost finds the service that a host names: of bucket.s3.us-east-1.localhost the
// last name that is one's, for the first may be anything.
func (f *front) byHost(host string) Service {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	found := f.Services[0]
	// SDKs put this before the host of StartSyncExecution and TestState.
	for label := range strings.SplitSeq(strings.TrimPrefix(strings.ToLower(host), "sync-"), ".") {
		if s := f.named[label]; s != nil {
			found = s
		}
	}
	return found
}
