package interpreter

// Paced is an Env whose Pace is called after each so many units of work.
func Paced(env Env, units int64) Env {
	env.paceWork = units
	return env
}

// Valid reports the first guarantee that a branch of the execution breaks.
func Valid(x *Execution) error { return x.valid() }
