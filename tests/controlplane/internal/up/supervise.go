package up

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"countersign.dev/controlplane/internal/lifeline"
)

const (
	stopTimeout  = 2 * time.Second  // then a part is killed, which costs no data
	steadyAfter  = 10 * time.Second // a part that ran this long did start
	maxFailures  = 5                // in a row, none of them steady
	restartPause = 100 * time.Millisecond
	tailLines    = 20
)

// supervisor keeps the parts running, and stops them all.
type supervisor struct {
	directory *directory
	line      *lifeline.Line
	fail      context.CancelCauseFunc // told when a part can't be kept running
	ready     atomic.Bool             // from then on a part that fails is started again
	log       *log.Logger
	parts     []*part
}

// part is one program that is kept running.
type part struct {
	name    string
	command []string
	cancel  context.CancelFunc
	started func()        // called when it runs, or never will
	done    chan struct{} // closed when it does not run and will not again
}

// partError is why a part could not be started, or not again.
type partError struct {
	name string
	log  string
	err  error
}

func (s *supervisor) failure(name string, err error) error {
	return &partError{name: name, log: s.logPath(name), err: err}
}

func (e *partError) Error() string {
	return fmt.Sprintf("%s failed (%v); the end of %s:\n%s", e.name, e.err, e.log, tail(e.log))
}

// start starts a part and keeps it running until stop. When start returns, the
// part has its pid file, or has failed.
func (s *supervisor) start(name string, command []string) {
	ctx, cancel := context.WithCancel(context.Background())
	started := make(chan struct{})
	p := &part{
		name:    name,
		command: command,
		cancel:  cancel,
		started: sync.OnceFunc(func() { close(started) }),
		done:    make(chan struct{}),
	}
	s.parts = append(s.parts, p)
	go func() {
		defer close(p.done)
		defer p.started()
		runtime.LockOSThread() // as lifeline.Line.Attach wants it; the thread ends with the goroutine
		if err := s.keep(ctx, p); err != nil {
			s.fail(s.failure(name, err))
		}
	}()
	<-started
}

// stop stops the parts, the last one first, and waits until all have ended.
func (s *supervisor) stop() {
	for _, p := range slices.Backward(s.parts) {
		p.cancel()
		<-p.done
	}
}

// keep runs the part again and again. It returns nil when ctx has ended, and
// an error when the part can't be run.
//
// A part that somebody killed starts again at once, at any time. A part that
// ended with a failure of its own may do so a few times, but not before the
// control plane was ready: then its options or its surroundings are wrong.
func (s *supervisor) keep(ctx context.Context, p *part) error {
	failures := 0
	for {
		started := time.Now()
		err := s.run(ctx, p)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(started) > steadyAfter {
			failures = 0
		}
		exit, ran := errors.AsType[*exec.ExitError](err)
		killed := ran && !exit.Exited()
		if err != nil && !killed {
			failures++
			if !ran || !s.ready.Load() || failures == maxFailures {
				return err
			}
		}
		s.log.Printf("%s ended (%s); starting it again", p.name, describe(err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(restartPause):
		}
	}
}

// run runs the part once, until it ends or ctx does.
func (s *supervisor) run(ctx context.Context, p *part) error {
	output, err := os.OpenFile(s.logPath(p.name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer output.Close()

	cmd := exec.CommandContext(ctx, p.command[0], p.command[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	cmd.Stdout, cmd.Stderr = output, output
	// In a process group of its own, an interrupt typed at a terminal reaches
	// the part only through stop, in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.line.Attach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}

	pidPath := s.directory.file(p.name + ".pid")
	defer os.Remove(pidPath)
	if err := replaceFile(pidPath, []byte(strconv.Itoa(cmd.Process.Pid)+"\n")); err != nil {
		s.log.Printf("write the pid of %s: %v", p.name, err)
	}
	p.started()
	return cmd.Wait()
}

func (s *supervisor) logPath(name string) string {
	return s.directory.file(name + ".log")
}

func describe(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// tail is the end of a log.
func tail(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
