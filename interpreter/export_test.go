package interpreter

// Paced is an Env whose Pace is called after each so many units of work.
func Paced(env Env, units int64) Env {
	env.paceWork = units
	return env
}
