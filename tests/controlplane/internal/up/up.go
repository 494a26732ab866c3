// Package up runs a Kubernetes control plane for tests: etcd, kube-apiserver
// and kube-controller-manager on loopback ports, with a certificate authority
// and a kubeconfig of its own, all in one directory.
//
// It knows the programs only by their command lines and imports nothing but
// the standard library, so that it builds in a moment where the programs are
// there already.
package up

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"

	"countersign.dev/controlplane/internal/lifeline"
)

// announcement is the line that tells that the control plane is ready, and
// how to reach it.
type announcement struct {
	Ready      bool   `json:"ready"`
	Kubeconfig string `json:"kubeconfig"`
	Server     string `json:"server"`
	Kubectl    string `json:"kubectl"`
}

// Run starts the control plane that lives in the directory at path, creating
// it at the first start, writes one line of JSON to stdout when it is ready,
// and keeps it running until ctx ends. Then, or after an error, it stops
// every part. What happens meanwhile is told to the logger.
func Run(ctx context.Context, path string, programs Programs, stdout io.Writer, logger *log.Logger) error {
	d, err := openDirectory(path)
	if err != nil {
		return err
	}
	defer d.close()
	line, err := lifeline.New()
	if err != nil {
		return err
	}
	defer line.Close()

	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	s := &supervisor{directory: d, line: line, fail: fail, log: logger}
	defer s.stop()

	ready, err := startParts(ctx, s, programs)
	if err == nil {
		s.ready.Store(true)
		if err = json.NewEncoder(stdout).Encode(ready); err == nil {
			<-ctx.Done()
		}
	}
	// A part that failed tells more than what then went wrong without it.
	if failure, ok := errors.AsType[*partError](context.Cause(ctx)); ok {
		return failure
	}
	if ctx.Err() != nil {
		return nil // asked to stop, perhaps before it was ready
	}
	return err
}

// startParts starts one part after the other, each as soon as the one before
// can serve it.
func startParts(ctx context.Context, s *supervisor, programs Programs) (announcement, error) {
	d := s.directory
	if err := clearLogs(d); err != nil {
		return announcement{}, err
	}
	p, err := d.ports()
	if err != nil {
		return announcement{}, err
	}
	etcdAddress := fmt.Sprintf("http://127.0.0.1:%d", p.Etcd)
	server := fmt.Sprintf("https://127.0.0.1:%d", p.APIServer)
	ready := announcement{
		Ready:      true,
		Kubeconfig: d.file("kubeconfig"),
		Server:     server,
		Kubectl:    d.file("bin", "kubectl"),
	}
	c, client, err := writeCredentials(d, ready)
	if err != nil {
		return announcement{}, err
	}
	if err := replaceLink(programs.kubectl, ready.Kubectl); err != nil {
		return announcement{}, err
	}

	start := func(name string, arguments []string) {
		s.start(name, append(programs.commands[name], arguments...))
	}
	start(etcd, etcdArguments(d.file("etcd"), etcdAddress))
	if err := waitFor(ctx, http.DefaultClient, etcdAddress+"/health"); err != nil {
		return announcement{}, s.failure(etcd, err)
	}
	start(apiServer, apiServerArguments(c, p.APIServer, etcdAddress))
	if err := waitFor(ctx, client, server+"/readyz"); err != nil {
		return announcement{}, s.failure(apiServer, err)
	}
	awaited := server + "/api/v1/namespaces/default"
	last := apiServer
	if programs.hasControllers() {
		last = controllerManager
		start(last, controllerManagerArguments(c, ready.Kubeconfig))
		awaited += "/serviceaccounts/default"
	} else {
		s.log.Printf("there is no %s: namespaces stay in deletion, owned objects are not collected, "+
			"and there are no default service accounts", controllerManager)
	}
	if err := waitFor(ctx, client, awaited); err != nil {
		return announcement{}, s.failure(last, err)
	}
	return ready, nil
}

// writeCredentials creates or renews the files that prove who is who, the
// kubeconfig of the administrator among them, and a client that uses it.
func writeCredentials(d *directory, ready announcement) (credentials, *http.Client, error) {
	c := credentials{
		authority:         d.file("pki", "ca.crt"),
		serving:           d.file("pki", "apiserver.crt"),
		key:               d.file("pki", "apiserver.key"),
		serviceAccountKey: d.file("pki", "service-account.key"),
	}
	authority, err := openAuthority(c.authority, d.file("pki", "ca.key"))
	if err != nil {
		return credentials{}, nil, err
	}
	if _, err := openKey(c.serviceAccountKey); err != nil {
		return credentials{}, nil, err
	}
	serving, err := authority.serving()
	if err != nil {
		return credentials{}, nil, err
	}
	admin, err := authority.client("admin", "system:masters")
	if err != nil {
		return credentials{}, nil, err
	}
	client, err := newClient(authority, admin)
	if err != nil {
		return credentials{}, nil, err
	}
	err = errors.Join(
		replaceFile(c.serving, serving.certificate),
		replaceFile(c.key, serving.key),
		replaceFile(ready.Kubeconfig, kubeconfig(ready.Server, authority.pem(), admin)),
	)
	return c, client, err
}

// clearLogs removes the logs of an earlier run.
func clearLogs(d *directory) error {
	for _, name := range []string{etcd, apiServer, controllerManager} {
		if err := os.Remove(d.file(name + ".log")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// replaceLink makes a symbolic link, in the place of an older one.
func replaceLink(target, link string) error {
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(target, link)
}
