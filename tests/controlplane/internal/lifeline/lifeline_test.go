package lifeline

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"countersign.dev/controlplane/internal/processtest"
)

// The test binary plays the parent and the child too: its first argument says
// which.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case "parent of a watching child":
			parent(exec.Command(os.Args[0], "child"), func(cmd *exec.Cmd) { cmd.SysProcAttr = nil })
		case "parent of an unaware child":
			parent(exec.Command("sleep", "1000"), func(*exec.Cmd) {})
		case "child":
			Watch()
			select {}
		}
	}
	os.Exit(m.Run())
}

// parent starts the child, tells its pid, and stays.
func parent(child *exec.Cmd, adjust func(*exec.Cmd)) {
	runtime.LockOSThread()
	line, err := New()
	if err != nil {
		panic(err)
	}
	line.Attach(child)
	adjust(child)
	if err := child.Start(); err != nil {
		panic(err)
	}
	fmt.Println(child.Process.Pid)
	_ = child.Wait()
	runtime.KeepAlive(line)
	os.Exit(0)
}

func TestAWatchingChildEndsWithAKilledParentEvenWithoutTheKernelsHelp(t *testing.T) {
	childEndsWithParent(t, "parent of a watching child")
}

func TestAnUnawareChildEndsWithAKilledParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux kills a child with its parent")
	}
	childEndsWithParent(t, "parent of an unaware child")
}

func TestWatchDoesNothingWithoutAParentThatAttached(t *testing.T) {
	t.Setenv(variable, "")
	Watch()
	time.Sleep(50 * time.Millisecond) // this process is still there
}

func childEndsWithParent(t *testing.T, role string) {
	t.Helper()
	parent := exec.Command(os.Args[0], role)
	parent.Stderr = os.Stderr
	output, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(strings.TrimSpace(line), &pid); err != nil {
		t.Fatal(err)
	}
	if !processtest.Alive(pid) {
		t.Fatal("the child ended before its parent")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()

	processtest.WaitGone(t, "the child", pid)
}
