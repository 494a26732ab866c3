// Package lifeline ends child processes with their parent, however the
// parent ends: even after a kill -9, none is left behind.
//
// The parent holds the only write end of a pipe, and each child inherits the
// read end. When the parent is gone the kernel closes the write end, and a
// child that calls [Watch] sees the end of the file and exits. Programs that
// know nothing of the pipe are covered on Linux, where the kernel also kills
// each child when its parent dies.
package lifeline

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

// variable tells a child which file descriptor is the read end of the pipe.
const variable = "CONTROLPLANE_LIFELINE_FD"

// Line is the parent's side. It has to stay reachable for as long as the
// children are to live: a Line that is collected closes its pipe.
type Line struct {
	read, write *os.File
}

// New makes the pipe.
func New() (*Line, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make the lifeline pipe: %w", err)
	}
	return &Line{read: read, write: write}, nil
}

// Attach ties a command that has not been started yet to this process. The
// goroutine that starts it must be locked to its thread until the command has
// ended: Linux takes the end of that thread for the end of the parent.
func (l *Line) Attach(cmd *exec.Cmd) {
	const firstExtraFile = 3
	fd := firstExtraFile + len(cmd.ExtraFiles)
	cmd.ExtraFiles = append(cmd.ExtraFiles, l.read)
	cmd.Env = append(cmd.Environ(), variable+"="+strconv.Itoa(fd))
	killWithParent(cmd)
}

// Close lets go of the children that still run.
func (l *Line) Close() error {
	defer l.read.Close()
	return l.write.Close()
}

// Watch is the child's side: this process exits with status 1 as soon as its
// parent is gone. In a process that was not attached it does nothing.
func Watch() {
	fd, err := strconv.Atoi(os.Getenv(variable))
	if err != nil {
		return
	}
	pipe := os.NewFile(uintptr(fd), "lifeline")
	go func() {
		_, _ = io.Copy(io.Discard, pipe)
		os.Exit(1)
	}()
}
