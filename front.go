package steppe

import (
	"context"
	"net/http"
	"os"
	"time"

	"github.com/steppehq/steppe/api"
	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/front"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/service/sts"
)

// open makes the handler of the server: a port with its services.
func (s *Server) open(cfg *Config, registry *integration.Registry) (http.Handler, error) {
	port, err := s.port(cfg)
	if err != nil {
		return nil, err
	}
	ac := api.Config{Engine: s.engine, Integrations: registry, Port: port, Quotas: cfg.Quotas}
	if s.testCases != nil {
		ac.TestCase = s.testCases.choose
	}
	states := api.New(ac)
	prefix, resources := states.Resources()
	return front.New(front.Config{
		Port: port, Services: []front.Service{states, sts.New(port)}, Resources: map[string]http.Handler{prefix: resources},
		Ready: s.ready, Hosts: cfg.AllowedHosts, Origins: cfg.AllowedOrigins,
	})
}

// port makes what all services share: who may call, how much at once, and who is
// told of it.
func (s *Server) port(cfg *Config) (*server.Port, error) {
	authorizer := &server.Authorizer{Account: cfg.Account, Region: cfg.Region}
	for _, k := range cfg.Keys {
		authorizer.Keys = append(authorizer.Keys, server.Key(k))
	}
	port := server.NewPort(authorizer, cfg.MaxRequests, cfg.Logger)
	port.Turn = func(ctx context.Context, r *server.Request, bytes int) (func(), error) {
		return s.engine.Turn(ctx, catalogue.Tenant{Account: r.Account, Region: r.Region}, bytes)
	}
	if cfg.Audit != nil {
		audit := server.NewAuditLog(cfg.Audit, cfg.Logger)
		port.Audit, s.audit = audit.Write, audit
	}
	if len(cfg.Keys) > 0 && cfg.Dir != "" {
		memory, err := openSignatures(context.Background(), s.store)
		if err != nil {
			return nil, err
		}
		authorizer.Memory, authorizer.Since = memory, cfg.signedSince
		time.Sleep(time.Until(authorizer.Since))
	}
	return port, nil
}

// signedSince is from when on requests must be signed that a server with this data
// directory takes, which begins then: what was signed in this second may have been
// received by the server before it, for signatures tell no more of their time. It is
// zero where none was before.
func signedSince(dir string) time.Time {
	if entries, err := os.ReadDir(dir); dir == "" || err != nil || len(entries) == 0 {
		return time.Time{}
	}
	return time.Now().Truncate(time.Second).Add(time.Second)
}
