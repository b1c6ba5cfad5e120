//go:build unix && !linux

package lambda

import (
	"os/exec"
	"syscall"
)

// start starts a worker in a process group of its own, so that what it starts
// ends with it, and an interrupt at the terminal is the server's alone.
func start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd.Start()
}

func awaitExit(int) bool { return false }

func endGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) } // it may be empty

// endTree ends a worker and its process group.
func endTree(pid int) { endGroup(pid) }

func endMarked(string) {}
