package lambda

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
)

// startRequest is a process to be started.
type startRequest struct {
	cmd  *exec.Cmd
	done chan error
}

// starts is where processes are started. The kernel ends a worker when the
// thread has ended that started it, not the process: this one is a goroutine's
// alone that never ends, so no other can end it.
var starts = sync.OnceValue(func() chan startRequest {
	requests := make(chan startRequest)
	go func() {
		runtime.LockOSThread()
		for r := range requests {
			closeOnExec()
			r.done <- r.cmd.Start()
		}
	}()
	return requests
})

// start starts a worker that ends with this process, whatever ends it, in a
// process group of its own: an interrupt at the terminal is the server's alone.
func start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	r := startRequest{cmd, make(chan error, 1)}
	starts() <- r
	return <-r.done
}

// closeOnExec keeps the descriptors from workers that this process was itself
// started with; Go's own are not passed on anyway.
func closeOnExec() {
	const (
		closeRange = 436
		cloexec    = 4
	)
	_, _, _ = syscall.Syscall(closeRange, 3, uintptr(^uint32(0)), cloexec) // kernels before 5.11 have it not
}

// awaitExit returns when a child of this process has ended, before it is waited
// for. It is false when that cannot be told.
func awaitExit(pid int) bool {
	const byPID = 1
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, byPID, uintptr(pid), 0, syscall.WEXITED|syscall.WNOWAIT, 0, 0)
		if errno != syscall.EINTR {
			return errno == 0
		}
	}
}

func endGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) } // it may be empty

// endTree ends a process, what it has started and what these have, also where
// they have made groups and sessions of their own.
func endTree(pid int) {
	tree := descendants(pid)
	endGroup(pid)
	for _, p := range tree {
		p.end(p.same)
	}
}

// endMarked ends the processes whose environment carries a mark. What is being
// started during a round is found in another round.
func endMarked(mark string) {
	if mark == "" {
		return
	}
	entry := []byte(markVariable + "=" + mark)
	const rounds = 8
	for range rounds {
		found := false
		for _, p := range processesNow() {
			if p.pid != os.Getpid() && p.carries(entry) {
				p.end(func() bool { return p.carries(entry) })
				found = true
			}
		}
		if !found {
			return
		}
	}
}

// process is one as /proc has it. Its number may be another one's later; its
// start is its own.
type process struct {
	pid, parent int
	started     string
	zombie      bool
}

func processesNow() []process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close() //nolint:errcheck // it was only read
	names, _ := dir.Readdirnames(-1)
	all := make([]process, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, ok := readProcess(pid); ok && !p.zombie {
				all = append(all, p)
			}
		}
	}
	return all
}

// readProcess reads /proc/PID/stat: number, (name), state, parent, and the start
// as the 22nd field.
func readProcess(pid int) (process, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, false
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const startField = 22 - 3
	if len(fields) <= startField {
		return process{}, false
	}
	parent, _ := strconv.Atoi(string(fields[1])) // a number
	return process{pid: pid, parent: parent, started: string(fields[startField]), zombie: fields[0][0] == 'Z'}, true
}

// descendants lists what a process has started, and what these have.
func descendants(pid int) []process {
	byParent := make(map[int][]process)
	for _, p := range processesNow() {
		byParent[p.parent] = append(byParent[p.parent], p)
	}
	var all []process
	for next := []int{pid}; len(next) > 0; next = next[1:] {
		for _, child := range byParent[next[0]] {
			all = append(all, child)
			next = append(next, child.pid)
		}
	}
	return all
}

func (p process) same() bool {
	now, ok := readProcess(p.pid)
	return ok && now.started == p.started
}

// carries reports whether an entry of the environment begins so.
func (p process) carries(entry []byte) bool {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/environ")
	return err == nil && (bytes.HasPrefix(env, entry) || bytes.Contains(env, append([]byte{0}, entry...)))
}

// end ends a process if it still is the one that is meant.
func (p process) end(meant func() bool) {
	handle, err := os.FindProcess(p.pid) // holds the process, not its number
	if err != nil {
		return
	}
	if meant() {
		_ = handle.Kill() // it may have ended already
	}
	_ = handle.Release() // never fails
}
