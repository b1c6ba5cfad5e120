package jsonata

// Two accounts are kept of an evaluation, for two masters. The limits of the language
// (Limits: depth, steps, bytes of one value) end an expression that runs away, with
// messages of the service, and must not depend on how the evaluator is built. The
// meter of the caller counts the real work and the real memory, so that a process
// which evaluates for many tenants can bound each. The sizes below are what Go takes
// for each part, measured and rounded up.

// limitCode is the code of an evaluation that has reached a limit. The service's
// messages leave it out.
const limitCode = "U1001"

const (
	errMemory  = "Expression evaluation memory limit exceeded: Check for excessive memory usage"
	errTimeout = "Expression evaluation timeout: Check for infinite loop"
)

// What is built, in bytes of memory.
const (
	itemBytes   = 40  // an item of an array that has its size
	grownBytes  = 100 // an item of an array that grows
	memberBytes = 110 // a member of an object
	matchBytes  = 500 // a match of a regular expression
	tupleBytes  = 200 // a tuple with a frame
	boundBytes  = 130 // a variable of a tuple, copied once
	textBytes   = 3   // a byte of a text that grows, and of the string that it becomes
)

// items counts the memory of an array of n items before it is made.
func (e *evaluation) items(n int) { e.meter.Hold(itemBytes * int64(n)) }

// grown counts n items before they are added to an array that grows.
func (e *evaluation) grown(n int) { e.meter.Hold(grownBytes * int64(n)) }

// members counts the memory of an object of n members before it is made.
func (e *evaluation) members(n int) { e.meter.Hold(memberBytes * int64(n)) }

// texts counts the work on and the memory of n bytes of a text before it is made.
func (e *evaluation) texts(n int) {
	e.meter.Hold(textBytes * int64(n))
	e.tick(n / 32)
}

// charge counts what a new value holds.
func (e *evaluation) charge(bytes int64) {
	e.held += bytes
	if bytes > e.limits.Bytes || e.held > totalFactor*e.limits.Bytes {
		panic(&Error{Code: limitCode, Message: errMemory})
	}
}

// tick counts work that is not the evaluation of a node.
func (e *evaluation) tick(n int) {
	if e.steps += int64(n); e.steps > e.next {
		e.look()
	}
}

// collected counts the items of a new sequence of what is there.
func (e *evaluation) collected(n int) {
	e.charge(int64(8 * n))
	e.tick(n / 8)
}

// stepsTold is the number of steps after which the meter counts them.
const stepsTold = 256

// look holds the steps against the limit and counts them on the meter. The meter is
// looked at every 256 steps at the latest, so that an evaluation can be interrupted.
func (e *evaluation) look() {
	if e.steps > e.limits.Steps {
		panic(&Error{Code: limitCode, Message: errTimeout})
	}
	e.meter.Work(e.steps - e.told)
	e.told, e.next = e.steps, e.limits.Steps
	if e.meter != nil {
		e.next = min(e.next, e.steps+stepsTold)
	}
}
