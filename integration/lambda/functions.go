package lambda

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/steppehq/steppe/integration"
)

// AllAccounts stands for the accounts of all callers.
const AllAccounts = "*"

// Functions is the set of functions that tasks may name. Each is an account's:
// others get the answer that they would get if it were not there. Its methods
// may be called from any goroutine.
type Functions struct {
	mu     sync.RWMutex
	byName map[owned]Function
	others map[string]Function // those that stand for all other names, by account
	closed []Function          // what Close ends
	memory Memory
	anyARN bool // accounts of ARNs are not looked at
	finder func(name string) (Function, []string)
	find1  sync.Mutex // one looks at a time
	events events
}

// AnyARN has ARNs of all accounts name the functions of the caller's: for servers
// on which nobody has said whose they are.
func (f *Functions) AnyARN() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.anyARN = true
}

// own reports whether somebody of an account may mean functions by a name. f.mu is
// held.
func (f *Functions) own(n functionName, caller string) bool { return n.account == caller || f.anyARN }

// Find has functions looked for that are not in the set: finder gives one, and
// whose it is, or nil.
func (f *Functions) Find(finder func(name string) (function Function, accounts []string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.finder = finder
}

// look finds a function that is not in the set, and adds it.
func (f *Functions) look(n functionName, caller string) Function {
	f.mu.RLock()
	finder, own := f.finder, f.own(n, caller)
	f.mu.RUnlock()
	if finder == nil || !own {
		return nil
	}
	f.find1.Lock()
	defer f.find1.Unlock()
	if function, _ := f.find(n, caller); function != nil {
		return function // somebody was faster
	}
	if made, accounts := finder(n.name); made != nil {
		f.Add(n.name, made, accounts...)
	}
	function, _ := f.find(n, caller)
	return function
}

// Memory remembers the functions that tasks were performed by, beyond the life of
// a server. Its methods are called by many goroutines at once.
type Memory interface {
	// Called notes a function of an account, durably.
	Called(ctx context.Context, account, name string) error
	// WasCalled reports whether it was noted.
	WasCalled(account, name string) bool
}

// Remember has tasks wait for functions that are missing and were there before:
// those that m knows.
func (f *Functions) Remember(m Memory) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.memory = m
}

// owned is the name of a function of an account.
type owned struct{ account, name string }

// NewFunctions makes an empty set.
func NewFunctions() *Functions {
	return &Functions{byName: make(map[owned]Function), others: make(map[string]Function)}
}

// Add puts a function into the set under its name, as one of each of the
// accounts ([AllAccounts] for every caller's).
func (f *Functions) Add(name string, function Function, accounts ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, account := range accounts {
		f.byName[owned{account, name}] = function
	}
	f.closed = append(f.closed, function)
}

// AddOthers has a function answer for all that these accounts do not have in the
// set.
func (f *Functions) AddOthers(function Function, accounts ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, account := range accounts {
		f.others[account] = function
	}
	f.closed = append(f.closed, function)
}

// Names lists the functions of the set.
func (f *Functions) Names() []string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	names := make([]string, 0, len(f.byName))
	for key := range maps.Keys(f.byName) {
		names = append(names, key.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Check loads the code of all functions, a few at once, and reports each that
// fails; keep leaves their workers for the first invocations.
func (f *Functions) Check(ctx context.Context, keep bool, failed func(name string, err error)) {
	const atOnce = 4
	f.mu.RLock()
	functions := make(map[*processes]string, len(f.byName))
	for key, function := range f.byName {
		if p, ok := function.(*processes); ok {
			functions[p] = key.name
		}
	}
	f.mu.RUnlock()
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for function, name := range functions {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if err := function.check(ctx, keep); err != nil && ctx.Err() == nil && !errors.Is(err, errStopped) {
				failed(name, err)
			}
		})
	}
	all.Wait()
}

// Close ends all functions.
func (f *Functions) Close() error {
	f.events.stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	var failed error
	for _, function := range f.closed {
		failed = errors.Join(failed, function.Close())
	}
	return failed
}

// find returns the function that somebody of an account means by a name, and as
// whose it stands in the set; nil for one that is another account's or is not
// there, which nobody can tell apart.
func (f *Functions) find(n functionName, caller string) (function Function, account string) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if !f.own(n, caller) {
		return nil, ""
	}
	for _, account := range [...]string{caller, AllAccounts} {
		if function = f.byName[owned{account, n.name}]; function != nil {
			return function, account
		}
	}
	for _, account := range [...]string{caller, AllAccounts} {
		if function = f.others[account]; function != nil {
			return function, account
		}
	}
	return nil, ""
}

// invoke calls the function that a task means by a name. A qualifier that is
// given beside the name must be the name's own, if that has one.
func (f *Functions) invoke(ctx context.Context, t integration.Task, name, qualifier string, in Invocation) (*Response, error) {
	in.Idempotency, in.TraceHeader, in.MaxBytes, in.Task = t.Idempotency, t.TraceHeader, t.MaxBytes, &t
	var response *Response
	function, err := f.called(ctx, t, name, qualifier, &in)
	if err == nil {
		response, err = f.perform(ctx, function, in)
	}
	if service, ok := errors.AsType[*ServiceError](err); ok && service.RequestID == "" {
		service.RequestID = in.Idempotency
	}
	return response, err
}

// whole is a function that is called with all that the Invoke operation has: all
// others know of RequestResponse only.
type whole interface{ invokes() }

// perform has a function invoked as the invocation's type says. A call that is not
// waited for is given no client context (Lambda API, Invoke).
func (f *Functions) perform(ctx context.Context, function Function, in Invocation) (*Response, error) {
	if len(in.ClientContext) > maxClientContext {
		return nil, badRequest("Client context must be up to " + strconv.Itoa(maxClientContext) + " bytes of base64-encoded data, and has " + strconv.Itoa(len(in.ClientContext)) + ".")
	}
	if _, ok := function.(whole); ok {
		return function.Invoke(ctx, in)
	}
	if in.ClientContext != "" && !in.hasJSONContext() {
		return nil, badRequest("Client context must be a valid Base64-encoded JSON object.")
	}
	switch in.Type {
	case DryRun:
		return &Response{RequestID: requestID(in.Idempotency), Status: http.StatusNoContent, Version: in.version()}, nil
	case Event:
		in.ClientContext = ""
		if err := f.events.run(ctx, function, in); err != nil {
			return nil, err
		}
		return &Response{RequestID: requestID(in.Idempotency), Status: http.StatusAccepted}, nil
	default:
		if !in.Tail {
			return function.Invoke(ctx, in)
		}
		began := time.Now()
		response, err := function.Invoke(ctx, in)
		if err == nil {
			response.tailLog(time.Since(began))
		}
		return response, err
	}
}

// called returns the function that is called, and completes the call.
func (f *Functions) called(ctx context.Context, t integration.Task, name, qualifier string, in *Invocation) (Function, error) {
	n, err := parseName(name, t.Account, t.Region)
	if err != nil {
		return nil, err
	}
	switch in.Type {
	case "", RequestResponse, Event, DryRun:
	default:
		return nil, invalid("invocationType", string(in.Type), "Member must satisfy enum value set: [Event, RequestResponse, DryRun]")
	}
	if qualifier != "" {
		if !isQualifier(qualifier) {
			return nil, invalid("qualifier", qualifier, patternOfQualifier)
		}
		if n.qualifier != "" && n.qualifier != qualifier {
			return nil, &ServiceError{
				Status: http.StatusBadRequest, Code: "InvalidParameterValueException",
				Message: "The derived qualifier from the function name does not match the specified qualifier.",
			}
		}
		n.qualifier = qualifier
	}
	in.FunctionARN, in.Qualifier = n.arn(), n.qualifier
	function, _ := f.find(n, t.Account)
	if function == nil {
		function = f.look(n, t.Account)
	}
	f.mu.RLock()
	memory, own := f.memory, f.own(n, t.Account)
	f.mu.RUnlock()
	if function == nil {
		if qualifier = n.qualifier; qualifier == "" {
			qualifier = "$LATEST"
		}
		unknown := &ServiceError{
			Status: http.StatusNotFound, Code: "ResourceNotFoundException",
			Message: "Function not found: " + in.FunctionARN + ":" + qualifier,
		}
		if memory != nil && own && memory.WasCalled(t.Account, n.name) {
			return nil, &missingError{"function " + n.name + " of account " + t.Account, unknown}
		}
		return nil, unknown
	}
	if err := in.checkHeaders(); err != nil {
		return nil, err
	}
	if memory != nil {
		// Before it is called: a server may die while it runs.
		return function, memory.Called(ctx, t.Account, n.name)
	}
	return function, nil
}

// missingError reports that a function is not there which was.
type missingError struct {
	what    string
	unknown *ServiceError
}

func (e *missingError) Error() string { return e.unknown.Error() }

// Unwrap returns the answer for a function that never was.
func (e *missingError) Unwrap() error { return e.unknown }

// limited is a function that runs so many invocations at once.
type limited interface{ limit() int }

// lane is what a task shares with others: its function, as the one of the
// account that has it, whoever calls it in whatever region.
func (f *Functions) lane(t integration.Task, name string) (string, int) {
	n, err := parseName(name, t.Account, t.Region)
	if err != nil {
		return "", 0
	}
	function, account := f.find(n, t.Account)
	if l, ok := function.(limited); ok {
		return account + ":" + n.name, l.limit()
	}
	return n.account + ":" + n.name, 0
}
