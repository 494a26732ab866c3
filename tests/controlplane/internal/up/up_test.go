package up

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestItSaysInOneLineHowToReachItOnceItIsReady(t *testing.T) {
	c := start(t, newDirectory(t))
	if !c.Ready || !regexp.MustCompile(`^https://127\.0\.0\.1:\d+$`).MatchString(c.Server) {
		t.Errorf("announced %+v", c.announcement)
	}
	if err := get(t.Context(), c.holder(t), c.Server+"/api/v1/namespaces/default/serviceaccounts/default"); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(c.Kubeconfig); err != nil {
		t.Error(err)
	} else if info.Mode().Perm() != 0o600 {
		t.Errorf("the kubeconfig has the mode %v", info.Mode())
	}
	if info, err := os.Stat(c.Kubectl); err != nil {
		t.Error(err)
	} else if info.Mode()&0o100 == 0 {
		t.Errorf("%s can't be run", c.Kubectl)
	}
	if rest := c.stop(t); rest != "" {
		t.Errorf("more than a line: %q", rest)
	}
}

func TestStartedAgainItKeepsItsPortsAndTheKubeconfigInUse(t *testing.T) {
	directory := newDirectory(t)
	first := start(t, directory)
	client := first.holder(t)
	first.stop(t)
	second := start(t, directory)
	if second.Server != first.Server {
		t.Errorf("was at %s, is at %s", first.Server, second.Server)
	}
	second.expectAnswer(t, client)
}

func TestStartedAgainRightAfterAKillItComesUp(t *testing.T) {
	directory := newDirectory(t)
	first := start(t, directory)
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.cmd.Wait()
	second := start(t, directory)
	second.expectAnswer(t, second.holder(t))
}

func TestAPartKilledFromOutsideComesBack(t *testing.T) {
	c := start(t, newDirectory(t))
	client := c.holder(t)
	for _, part := range []string{apiServer, controllerManager, etcd, apiServer} {
		before := c.pids(t, part)[part]
		if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(30 * time.Second)
		for pid := before; pid == before || pid == 0; pid = c.pid(t, part) {
			if time.Now().After(deadline) {
				t.Fatalf("%s did not come back", part)
			}
			time.Sleep(10 * time.Millisecond)
		}
		c.expectAnswer(t, client)
	}
	c.stop(t)
	if told := "up: kube-apiserver ended (signal: killed); starting it again"; strings.Count(c.stderr.String(), told) != 2 {
		t.Errorf("stderr does not say twice %q:\n%s", told, c.stderr)
	}
}

func TestNoPartOutlivesIt(t *testing.T) {
	endings := map[string]func(*controlPlane) error{
		"after SIGTERM":          func(c *controlPlane) error { return c.cmd.Process.Signal(syscall.SIGTERM) },
		"after SIGINT":           func(c *controlPlane) error { return c.cmd.Process.Signal(syscall.SIGINT) },
		"after SIGKILL":          func(c *controlPlane) error { return c.cmd.Process.Kill() },
		"after the end of stdin": func(c *controlPlane) error { return c.stdin.Close() },
	}
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			c := start(t, newDirectory(t), "--stop-with-stdin")
			pids := c.pids(t, allParts...)
			if err := end(c); err != nil {
				t.Fatal(err)
			}
			err := c.cmd.Wait()
			if killed := name == "after SIGKILL"; !killed && err != nil {
				t.Errorf("%v; stderr:\n%s", err, c.stderr)
			}
			expectGone(t, pids)
		})
	}
}

func TestItCanBeStoppedBeforeItIsReady(t *testing.T) {
	c := launch(t, newDirectory(t))
	deadline := time.Now().Add(30 * time.Second)
	for c.pid(t, etcd) == 0 {
		if time.Now().After(deadline) {
			t.Fatal("etcd does not start")
		}
		time.Sleep(time.Millisecond)
	}
	pids := c.pids(t, etcd)
	c.stop(t)
	expectGone(t, pids)
}

func TestADirectoryHasOneControlPlaneAtATime(t *testing.T) {
	first := start(t, newDirectory(t))
	second := launch(t, first.directory)
	if err := second.cmd.Wait(); err == nil {
		t.Fatal("a second one started")
	}
	if !strings.Contains(second.stderr.String(), "stop it or choose another --dir") {
		t.Errorf("stderr:\n%s", second.stderr)
	}
	first.expectAnswer(t, first.holder(t))
}

func TestAPartThatCanNotStartIsShownWithTheEndOfItsLog(t *testing.T) {
	directory := newDirectory(t)
	data := filepath.Join(directory, "etcd")
	if err := os.WriteFile(data, []byte("not a directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := launch(t, directory)
	output, _ := io.ReadAll(c.stdout)
	if err := c.cmd.Wait(); err == nil {
		t.Fatal("it ended as if all were well")
	}
	if len(output) != 0 {
		t.Errorf("it was ready: %s", output)
	}
	for _, told := range []string{"etcd failed (exit status 1)", "etcd.log", data + ": not a directory"} {
		if !strings.Contains(c.stderr.String(), told) {
			t.Errorf("stderr does not say %q:\n%s", told, c.stderr)
		}
	}
}

func TestItRunsTheProgramsOfADirectory(t *testing.T) {
	c := start(t, newDirectory(t), "--assets", assets(t))
	c.expectAnswer(t, c.holder(t))
	pids := c.pids(t, etcd, apiServer)
	if pid := c.pid(t, controllerManager); pid != 0 {
		t.Errorf("a controller manager runs: %d", pid)
	}
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.cmd.Wait()
	expectGone(t, pids)
	if !strings.Contains(c.stderr.String(), "there is no kube-controller-manager") {
		t.Errorf("stderr:\n%s", c.stderr)
	}
}

func TestADirectoryThatLacksAProgramIsRefused(t *testing.T) {
	directory := assets(t)
	missing := filepath.Join(directory, apiServer)
	if err := os.Remove(missing); err != nil {
		t.Fatal(err)
	}
	c := launch(t, newDirectory(t), "--assets", directory)
	if err := c.cmd.Wait(); err == nil {
		t.Fatal("it ended as if all were well")
	}
	if !strings.Contains(c.stderr.String(), missing) {
		t.Errorf("stderr does not name %s:\n%s", missing, c.stderr)
	}
}
