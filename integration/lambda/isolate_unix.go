//go:build unix

package lambda

import (
	"os/exec"
	"syscall"
)

// isolate puts a worker into a process group of its own, so that what it
// started ends with it, and an interrupt at the terminal is the server's alone.
func isolate(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// stop ends a worker and what it started.
func stop(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended already
}
