// Package steppe runs Amazon States Language state machines durably and
// answers the AWS Step Functions API.
//
// [Open] makes a server of a [Config]: an http.Handler for the API, and the
// engine behind it. It is the one package that knows every concrete type, and the
// entry point for Go programs that embed the engine:
//
//	greet := steppe.GoFunction("greet", func(ctx context.Context, in Input) (Output, error) { … })
//	server, err := steppe.Open(steppe.Config{Dir: "data", Functions: []steppe.Function{greet}})
//	http.ListenAndServe("127.0.0.1:8083", server.Handler())
//
// Stability: may move in any minor release.
package steppe

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/integration"
	"github.com/steppehq/steppe/integration/lambda"
	"github.com/steppehq/steppe/store"
)

// Server is a running server. Its methods may be called from any goroutine.
type Server struct {
	engine    *engine.Engine
	store     store.Store
	functions *lambda.Functions
	handler   http.Handler
	account   string
	region    string
	homes     []string // the accounts whose functions are that say nothing else
	registry  *integration.Registry
	testCases *testCases // nil where there are none
	audit     io.Closer

	stop context.CancelFunc
	done sync.WaitGroup
}

// ready reports why the server should get no new work now.
func (s *Server) ready() error {
	if s.engine.Draining() {
		return errors.New("the server is about to end")
	}
	if db, ok := s.store.(store.Maintained); ok && db.Full() {
		return store.ErrFull
	}
	return nil
}

// Advance lets time pass where time is virtual ([Config.VirtualTime]), also while
// somebody owes an answer, and returns the time then. What becomes due on the way,
// and what that brings about, is done when it returns.
func (s *Server) Advance(ctx context.Context, by time.Duration) (time.Time, error) {
	return s.engine.Advance(ctx, by)
}

// Handler answers the API.
func (s *Server) Handler() http.Handler { return s.handler }

// Engine is the engine behind the API, for programs that start executions
// without HTTP.
func (s *Server) Engine() *engine.Engine { return s.engine }

// Running is how many executions run, those that wait among them.
func (s *Server) Running() int { return s.engine.Running() }

// Stats reports what the store of a server has written and holds; nothing for one
// that keeps everything in memory.
func (s *Server) Stats() store.Stats {
	if db, ok := s.store.(store.Maintained); ok {
		return db.Stats()
	}
	return store.Stats{}
}

// Compact rewrites the data directory, without what is obsolete. It is not
// needed, and takes long: the store compacts by itself.
func (s *Server) Compact(ctx context.Context) error {
	if db, ok := s.store.(store.Maintained); ok {
		return db.Compact(ctx)
	}
	return nil
}

// closeTimeout bounds how long Close waits for tasks under way.
const closeTimeout = 10 * time.Second

// Shutdown stops the server gently: no task begins any more, those under way may
// end until the context does, and then it closes. What is cut is told to the
// logger. Give callers of [Server.Handler] their answers first.
func (s *Server) Shutdown(ctx context.Context) error {
	s.engine.Drain(ctx)
	return s.Close()
}

// Close stops the server. Tasks under way are cut, and executions that run taken up
// again by the next Open (see [Server.Shutdown]).
func (s *Server) Close() error {
	s.stop()
	s.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := s.engine.Close(ctx)
	err = errors.Join(err, s.functions.Close(), s.store.Close())
	if s.audit != nil {
		err = errors.Join(err, s.audit.Close())
	}
	return err
}
