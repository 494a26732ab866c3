package up

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"flag"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"countersign.dev/controlplane/internal/processtest"
)

var binary = flag.String("controlplane", "", "test `up` of this binary with the real parts, not with played ones")

// controlPlane is a running `up`.
type controlPlane struct {
	announcement
	cmd       *exec.Cmd
	directory string
	stdin     io.Closer
	stdout    *bufio.Reader
	stderr    *bytes.Buffer
}

// program is the binary under test.
func program(t *testing.T) string {
	t.Helper()
	path := *binary
	if path == "" {
		path = os.Args[0]
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// newDirectory is a directory for a control plane, removed at the end of the
// test when no part writes to it any more.
func newDirectory(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	t.Cleanup(func() {
		for _, part := range allParts {
			if pid := pidOf(t, directory, part); pid != 0 {
				processtest.WaitGone(t, part, pid)
			}
		}
	})
	return directory
}

// launch runs `up` in a directory, and kills it at the end of the test.
func launch(t *testing.T, directory string, flags ...string) *controlPlane {
	t.Helper()
	c := &controlPlane{directory: directory, stderr: &bytes.Buffer{}}
	c.cmd = exec.Command(program(t), append([]string{"up", "--dir", directory}, flags...)...)
	c.cmd.Env = append(os.Environ(), AssetsVariable+"=") // the flags say what to run
	c.cmd.Stderr = c.stderr
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdin, c.stdout = stdin, bufio.NewReader(stdout)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	return c
}

// start runs `up` until it is ready.
func start(t *testing.T, directory string, flags ...string) *controlPlane {
	t.Helper()
	c := launch(t, directory, flags...)
	line, err := c.stdout.ReadString('\n')
	if err != nil {
		_ = c.cmd.Wait()
		t.Fatalf("no line on stdout (%v); stderr:\n%s", err, c.stderr)
	}
	if err := json.Unmarshal([]byte(line), &c.announcement); err != nil {
		t.Fatalf("read %q: %v", line, err)
	}
	return c
}

// stop ends `up` as asked for, and returns what it still wrote to stdout.
func (c *controlPlane) stop(t *testing.T) string {
	t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(c.stdout)
	if err := c.cmd.Wait(); err != nil {
		t.Fatalf("%v; stderr:\n%s", err, c.stderr)
	}
	return string(rest)
}

// pidOf is the process that runs a part of the control plane in a directory,
// or 0.
func pidOf(t *testing.T, directory, part string) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(directory, part+".pid"))
	if os.IsNotExist(err) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// pid is the process that runs a part now, or 0.
func (c *controlPlane) pid(t *testing.T, part string) int {
	t.Helper()
	return pidOf(t, c.directory, part)
}

// pids are the processes of all parts.
func (c *controlPlane) pids(t *testing.T, parts ...string) map[string]int {
	t.Helper()
	pids := map[string]int{}
	for _, part := range parts {
		pid := c.pid(t, part)
		if pid == 0 || !processtest.Alive(pid) {
			t.Fatalf("%s does not run", part)
		}
		pids[part] = pid
	}
	return pids
}

var allParts = []string{etcd, apiServer, controllerManager}

func expectGone(t *testing.T, pids map[string]int) {
	t.Helper()
	for part, pid := range pids {
		processtest.WaitGone(t, part, pid)
	}
}

// holder is a client with a kubeconfig as a program holds it that read it once.
func (c *controlPlane) holder(t *testing.T) *http.Client {
	t.Helper()
	content, err := os.ReadFile(c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	a, err := openAuthority(filepath.Join(c.directory, "pki", "ca.crt"), filepath.Join(c.directory, "pki", "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	authority := field(t, content, "certificate-authority-data")
	if block, _ := pem.Decode(authority); block == nil || !bytes.Equal(block.Bytes, a.certificate.Raw) {
		t.Fatal("the kubeconfig names another authority")
	}
	client, err := newClient(a, pair{
		certificate: field(t, content, "client-certificate-data"),
		key:         field(t, content, "client-key-data"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// field is what a line of a kubeconfig holds in base64.
func field(t *testing.T, kubeconfig []byte, name string) []byte {
	t.Helper()
	match := regexp.MustCompile(name + `: (\S+)`).FindSubmatch(kubeconfig)
	if match == nil {
		t.Fatalf("the kubeconfig has no %s", name)
	}
	value, err := base64.StdEncoding.DecodeString(string(match[1]))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// expectAnswer waits until the API server answers again.
func (c *controlPlane) expectAnswer(t *testing.T, client *http.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := waitFor(ctx, client, c.Server+"/api/v1/namespaces/default"); err != nil {
		t.Fatalf("%v; stderr:\n%s", err, c.stderr)
	}
}

// assets is a directory with the programs, as setup-envtest makes one.
func assets(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	for _, name := range []string{etcd, apiServer, "kubectl"} {
		if err := os.Symlink(program(t), filepath.Join(directory, name)); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}
