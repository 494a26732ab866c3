// Package processtest tells tests whether processes that they did not start
// themselves are still there.
package processtest

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Alive tells whether a process runs. One that has ended and that nobody waited
// for, as in a container without an init, does not.
func Alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

// WaitGone fails the test if a process does not end within ten seconds, and
// kills it then.
func WaitGone(t testing.TB, what string, pid int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for Alive(pid) {
		if time.Now().After(deadline) {
			t.Errorf("%s (pid %d) is still there", what, pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
