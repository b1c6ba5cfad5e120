package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/internal/door"
)

// # The life of a server
//
// A server begins in this order, and each step can refuse:
//
//  1. checkAddress: without keys only the loopback interface is allowed.
//  2. descriptors: the files that the process may open are divided between the store and
//     connections, before either takes any.
//  3. open: the data directory is opened and checked, executions that were running are
//     taken up again, and their tasks are performed. This may take a while.
//  4. listen: only now do callers connect. A refused connection means "not ready", and no
//     request has to wait for step 3. A free port (":0") is the exception: its number is told
//     to functions as they start, so it must be known before step 3, and nobody else knows it yet.
//  5. Functions are loaded in the background, to report those that cannot be. They
//     are not needed for the server to be ready, since a task starts what it calls.
//
// It ends in this order:
//
//	SIGTERM, SIGINT ─▶ Drain         no task begins; those under way have --grace. The API
//	                                 still answers, because a function may call it
//	second signal,  ─▶ serveHTTP     stops accepting, and waits shutdownTimeout for requests
//	or grace is over                 under way. Long polls end with the context
//	                ─▶ server.Close  tasks that are left are cut and logged; the store closes
//
// Nothing depends on this. A server that is killed loses nothing that was acknowledged: the
// next one performs the same tasks again with the same idempotency keys. A gentle end only
// means that fewer are performed twice.

type serveCommand struct {
	Addr                  string        `help:"Address to listen on." default:"127.0.0.1:8083" placeholder:"HOST:PORT"`
	Data                  string        `help:"Data directory." default:"steppe-data" placeholder:"DIR"`
	Ephemeral             bool          `help:"Keep nothing: everything is gone when the server stops."`
	Config                string        `help:"Configuration file; steppe.yaml of the working directory when there is one." placeholder:"FILE"`
	LambdaEndpoint        string        `help:"Invoke functions that are not configured at this URL (Lambda's Invoke operation)." placeholder:"URL"`
	LambdaEndpointAccount string        `help:"Account whose functions those of --lambda-endpoint are; * is all accounts'. Default: that of --account." placeholder:"ID"`
	Retention             string        `help:"How long executions are kept after their end (the tag steppe:retention of a state machine sets its own)." default:"90d" placeholder:"DURATION"`
	Index                 []string      `help:"Values by which executions are found fast, as in input.orderId." placeholder:"FIELD"`
	Account               string        `help:"Account of functions, and of callers whose credentials tell none. Default: 000000000000; functions are also of the keys' account if these have only one." placeholder:"ID"`
	Region                string        `help:"Region of callers whose credentials tell none." default:"us-east-1" placeholder:"REGION"`
	Keys                  string        `help:"File of the access keys that requests must be signed with." placeholder:"FILE"`
	EncryptionKeys        string        `help:"File of the keys that encryption configurations name: what is stored for them is encrypted." placeholder:"FILE"`
	TLSCert               string        `help:"Certificate to serve HTTPS with; it is read again when it changes." placeholder:"FILE" name:"tls-cert"`
	TLSKey                string        `help:"Private key of the certificate." placeholder:"FILE" name:"tls-key"`
	Audit                 string        `help:"File to which a line is added for each request that changes something." placeholder:"FILE"`
	AuditSize             int           `help:"Size in MB at which the audit file becomes FILE.1 and a new one begins." default:"100" placeholder:"MB"`
	AuditFiles            int           `help:"Full audit files that are kept." default:"5" placeholder:"N"`
	AllowedHosts          []string      `help:"Names by which a server without keys may be called, beside localhost and its addresses; * is any." placeholder:"HOST"`
	AllowedOrigins        []string      `help:"Origins of the web pages that may call the server, as in https://console.example." placeholder:"ORIGIN"`
	Quotas                string        `help:"Throttle callers: none, or as aws does." enum:"none,aws" default:"none"`
	MaxConnections        int           `help:"Connections at once; idle ones make room for more. Half of them may serve one account." default:"10000" placeholder:"N"`
	Insecure              bool          `help:"Allow an address that is not of the loopback interface, although no keys are checked."`
	AcceptLoss            bool          `help:"Go on with a data directory that has lost what was acknowledged; the log says what. Copy the directory first."`
	MockConfig            string        `help:"MockConfigFile.json of Step Functions Local: StartExecution takes the ARN of a state machine with #TESTCASE behind it. Needs --ephemeral." placeholder:"FILE"`
	Time                  string        `help:"Real, or virtual: the clock jumps to the next timer whenever nothing else is under way and nobody owes an answer (see steppe clock)." enum:"real,virtual" default:"real"`
	Grace                 time.Duration `help:"How long tasks under way may go on after SIGTERM or SIGINT; none begin then. A second signal ends at once." default:"20s" placeholder:"DURATION"`
	JSON                  bool          `help:"Write the log as JSON." name:"json"`
}

// Run serves until it is interrupted.
func (c *serveCommand) Run(con *console) error {
	if err := c.checkAddress(); err != nil {
		return err
	}
	log := newLogger(con, c.JSON)
	connections, files, err := descriptors(openFiles(), c.MaxConnections, log)
	if err != nil {
		return err
	}
	// Callers connect when the data directory is open. The number of a free port is
	// needed before, and nobody else knows it.
	var listener net.Listener
	address := c.Addr
	if _, port, _ := net.SplitHostPort(c.Addr); port == "0" {
		if listener, err = listen(c.Addr); err != nil {
			return err
		}
		address = listener.Addr().String()
	}
	server, cfg, certificate, err := c.open(log, address, connections, files)
	if err == nil && listener == nil {
		if listener, err = listen(c.Addr); err != nil {
			return errors.Join(err, server.Close())
		}
	}
	if err != nil {
		if listener != nil {
			err = errors.Join(err, listener.Close())
		}
		return err
	}
	startFacts(log, cfg, server)
	listener = door.Limit(listener, connections, log)
	scheme := "http://"
	if certificate != nil {
		scheme, listener = "https://", tls.NewListener(listener, certificate)
	}
	c.greet(con, scheme+listener.Addr().String())
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	checked := make(chan struct{})
	go func() {
		defer close(checked)
		server.CheckFunctions(ctx, false, func(name string, err error) {
			log.Warn("a function cannot be loaded; tasks that call it fail", slog.String("function", name), slog.Any("error", err))
		})
	}()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		c.awaitEnd(ctx, log, server)
		stop() // callers are answered until here: functions may be among them
	}()
	err = serveHTTP(ctx, listener, server.Handler(), log)
	stop()
	<-drained
	<-checked
	return errors.Join(err, server.Close())
}

// open opens the server, and what its connections need.
func (c *serveCommand) open(log *slog.Logger, address string, connections, files int) (*steppe.Server, *steppe.Config, *tls.Config, error) {
	cfg, err := c.config(log, address)
	if err != nil {
		return nil, nil, nil, err
	}
	cfg.MaxRequests, cfg.OpenFiles = max(connections/2, 1), files
	certificate, err := c.certificate()
	if err != nil {
		return nil, nil, nil, err
	}
	server, err := steppe.Open(cfg)
	return server, &cfg, certificate, err
}

func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w: another program (another steppe serve?) listens there; give another --addr, as in --addr 127.0.0.1:0", err)
	}
	return listener, err
}

// awaitEnd waits until the process is asked to end, and then for tasks under way:
// for the time of grace, or until it is asked again.
func (c *serveCommand) awaitEnd(ctx context.Context, log *slog.Logger, server *steppe.Server) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	asked := func() bool {
		for {
			select {
			case got := <-signals:
				if got != syscall.SIGHUP { // who rotates files sends it; the audit log listens to it
					return true
				}
				log.Info("SIGHUP: certificates and functions that have changed are read again when they are needed")
			case <-ctx.Done():
				return false
			}
		}
	}
	if !asked() {
		return
	}
	grace, cancel := context.WithTimeout(ctx, c.Grace)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if asked() {
			cancel()
		}
	}()
	server.Engine().Drain(grace)
	cancel()
}

// checkAddress keeps a server that checks no keys off the network.
func (c *serveCommand) checkAddress() error {
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return fmt.Errorf("--addr %s: %w", c.Addr, err)
	}
	if c.Insecure || c.Keys != "" || isLoopback(host) {
		return nil
	}
	return fmt.Errorf("--addr %s is reachable from other machines, and no keys are checked; name the file of the keys with --keys, or give --insecure if that is what you want", c.Addr)
}

// isLoopback reports whether a host is reached from this machine only.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *serveCommand) config(log *slog.Logger, address string) (steppe.Config, error) {
	cfg := steppe.Config{Dir: c.Data, LambdaEndpoint: c.LambdaEndpoint, VirtualTime: c.Time == "virtual", Index: c.Index, Logger: log, AcceptLoss: c.AcceptLoss, Memory: keepWithin(log)}
	if c.Ephemeral {
		cfg.Dir = ""
	}
	cfg.AllowedHosts, cfg.AllowedOrigins = c.AllowedHosts, c.AllowedOrigins
	cfg.Account, cfg.Region, cfg.Quotas = c.Account, c.Region, c.Quotas == "aws"
	cfg.LambdaEndpointAccount, cfg.URL = c.LambdaEndpointAccount, c.url(address)
	var err error
	if c.Keys != "" {
		if cfg.Keys, err = loadKeys(c.Keys); err != nil {
			return cfg, err
		}
	}
	if cfg.EncryptionKeys, err = loadEncryptionKeys(c.EncryptionKeys); err != nil {
		return cfg, err
	}
	if c.MockConfig != "" {
		if !c.Ephemeral {
			return cfg, errors.New("--mock-config needs --ephemeral: after a restart executions would go on without their mocks")
		}
		if cfg.TestCases, err = loadMockConfig(c.MockConfig); err != nil {
			return cfg, err
		}
	}
	if c.Audit != "" {
		if c.AuditSize < 1 || c.AuditFiles < 0 {
			return cfg, errors.New("--audit-size is 1 at least, and --audit-files 0")
		}
		if cfg.Audit, err = openAudit(c.Audit, int64(c.AuditSize)<<20, c.AuditFiles); err != nil {
			return cfg, err
		}
	}
	if cfg.Retention, err = engine.ParseDays(c.Retention); err != nil || cfg.Retention <= 0 {
		return cfg, fmt.Errorf("--retention %s: it is given as in 36h or 90d", c.Retention)
	}
	dir := "."
	if c.Config != "" {
		dir = filepath.Dir(c.Config)
	}
	functions, err := findFunctions(dir, c.Config)
	if err != nil {
		return cfg, err
	}
	functions.tell(log)
	cfg.Functions, cfg.FindFunction = functions.functions, functions.find
	return cfg, nil
}

// url is that of a server with this address as programs of this machine can call
// it.
func (c *serveCommand) url(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http://"
	if c.TLSCert != "" {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port)
}

func newLogger(con *console, asJSON bool) *slog.Logger {
	if asJSON {
		return slog.New(slog.NewJSONHandler(con.err, nil))
	}
	return slog.New(slog.NewTextHandler(con.err, nil))
}

// certificate is how TLS is spoken, nil when it is not.
func (c *serveCommand) certificate() (*tls.Config, error) {
	switch {
	case c.TLSCert == "" && c.TLSKey == "":
		return nil, nil
	case c.TLSCert == "" || c.TLSKey == "":
		return nil, errors.New("--tls-cert and --tls-key go together")
	}
	f, err := os.Open(c.TLSKey)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was not written
	if err := private(f); err != nil {
		return nil, fmt.Errorf("%s: %w", c.TLSKey, err)
	}
	k := &keyPair{cert: c.TLSCert, key: c.TLSKey}
	if _, err := k.get(nil); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: k.get}, nil
}

func (c *serveCommand) greet(con *console, endpoint string) {
	if c.JSON {
		line, _ := json.Marshal(map[string]string{"endpoint": endpoint, "version": version()}) // two strings
		fmt.Fprintln(con.out, string(line))
		return
	}
	kept := "data in " + c.Data
	if c.Ephemeral {
		kept = "keeping nothing"
	}
	fmt.Fprintf(con.out, "steppe %s answers the Step Functions API at %s, %s\n", version(), endpoint, kept)
	fmt.Fprintf(con.out, "for the AWS CLI and SDKs: eval \"$(steppe env%s)\", or\n", envFlags(endpoint))
	for _, v := range clientVariables(endpoint, c.Region) {
		if c.Keys != "" && v.credential {
			continue // the callers have theirs
		}
		fmt.Fprintf(con.out, "  export %s=%s\n", v.name, v.value)
	}
	fmt.Fprintf(con.out, "  aws stepfunctions list-state-machines --endpoint-url %s\n", endpoint)
}

// envFlags are the flags of steppe env for a server that is not at the address
// which it takes for granted.
func envFlags(endpoint string) string {
	if endpoint == "http://127.0.0.1:8083" {
		return ""
	}
	return " --endpoint " + endpoint
}

// writeTimeout bounds how long an answer may take, until its last byte was
// taken: a synchronous execution runs for five minutes at most.
const writeTimeout = 6 * time.Minute

// shutdownTimeout bounds how long requests under way may take to end.
const shutdownTimeout = 5 * time.Second

// serveHTTP serves until the context ends.
func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	hs := &http.Server{
		Handler:           handler,
		ErrorLog:          door.ErrorLog(log),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       door.WithConnection,
	}
	failed := make(chan error, 1)
	go func() { failed <- hs.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := hs.Shutdown(end)
	if errors.Is(err, context.DeadlineExceeded) {
		return hs.Close() // connections that nobody has used, or that read too slowly
	}
	return err
}
