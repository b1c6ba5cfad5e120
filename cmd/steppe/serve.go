package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/engine"
)

type serveCommand struct {
	Addr           string   `help:"Address to listen on." default:"127.0.0.1:8083" placeholder:"HOST:PORT"`
	Data           string   `help:"Data directory." default:"steppe-data" placeholder:"DIR"`
	Ephemeral      bool     `help:"Keep nothing: everything is gone when the server stops."`
	Config         string   `help:"Configuration file; steppe.yaml of the working directory when there is one." placeholder:"FILE"`
	LambdaEndpoint string   `help:"Invoke functions that are not configured at this URL (Lambda's Invoke operation)." placeholder:"URL"`
	Retention      string   `help:"How long executions are kept after their end (the tag steppe:retention of a state machine sets its own)." default:"90d" placeholder:"DURATION"`
	Index          []string `help:"Values by which executions are found fast, as in input.orderId." placeholder:"FIELD"`
	Insecure       bool     `help:"Allow an address that is not of the loopback interface, although no keys are checked."`
	Time           string   `help:"Real, or virtual: the clock jumps to the next timer whenever nothing else is under way." enum:"real,virtual" default:"real"`
	JSON           bool     `help:"Write the log as JSON." name:"json"`
}

// Run serves until it is interrupted.
func (c *serveCommand) Run(con *console) error {
	if err := c.checkAddress(); err != nil {
		return err
	}
	cfg, err := c.config(con)
	if err != nil {
		return err
	}
	server, err := steppe.Open(cfg)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return errors.Join(err, server.Close())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c.greet(con, listener.Addr().String())
	return errors.Join(serveHTTP(ctx, listener, server.Handler()), server.Close())
}

// checkAddress keeps a server that checks no keys off the network.
func (c *serveCommand) checkAddress() error {
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return fmt.Errorf("--addr %s: %w", c.Addr, err)
	}
	ip := net.ParseIP(host)
	if c.Insecure || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("--addr %s is reachable from other machines, and no keys are checked; give --insecure if that is what you want", c.Addr)
}

func (c *serveCommand) config(con *console) (steppe.Config, error) {
	cfg := steppe.Config{Dir: c.Data, LambdaEndpoint: c.LambdaEndpoint, VirtualTime: c.Time == "virtual", Index: c.Index, Logger: newLogger(con, c.JSON)}
	if c.Ephemeral {
		cfg.Dir = ""
	}
	var err error
	if cfg.Retention, err = engine.ParseDays(c.Retention); err != nil || cfg.Retention <= 0 {
		return cfg, fmt.Errorf("--retention %s: it is given as in 36h or 90d", c.Retention)
	}
	if c.Config != "" {
		cfg.Functions, err = loadConfig(c.Config)
	} else {
		cfg.Functions, err = findFunctions(".")
	}
	return cfg, err
}

func newLogger(con *console, asJSON bool) *slog.Logger {
	if asJSON {
		return slog.New(slog.NewJSONHandler(con.err, nil))
	}
	return slog.New(slog.NewTextHandler(con.err, nil))
}

func (c *serveCommand) greet(con *console, addr string) {
	if c.JSON {
		line, _ := json.Marshal(map[string]string{"endpoint": "http://" + addr, "version": version()}) // two strings
		fmt.Fprintln(con.out, string(line))
		return
	}
	kept := "data in " + c.Data
	if c.Ephemeral {
		kept = "keeping nothing"
	}
	fmt.Fprintf(con.out, "steppe %s answers the Step Functions API at http://%s, %s\n", version(), addr, kept)
	fmt.Fprintf(con.out, "  aws stepfunctions list-state-machines --endpoint-url http://%s\n", addr)
}

// shutdownTimeout bounds how long requests under way may take to end.
const shutdownTimeout = 5 * time.Second

// serveHTTP serves until the context ends.
func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler) error {
	hs := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
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
	if err := hs.Shutdown(end); err != nil {
		return errors.Join(err, hs.Close())
	}
	return nil
}
