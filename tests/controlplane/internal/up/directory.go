package up

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// directory is where one control plane keeps everything it has. Nothing else
// is remembered, so that starting again in the same directory brings the same
// control plane back.
type directory struct {
	path string
	lock *os.File
}

// openDirectory creates the directory if need be and claims it for this
// process. The claim ends with the process, however it ends.
func openDirectory(path string) (*directory, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	for _, folder := range []string{path, filepath.Join(path, "pki"), filepath.Join(path, "bin")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%s belongs to a control plane that is running: stop it or choose another --dir", path)
	}
	return &directory{path: path, lock: lock}, nil
}

func (d *directory) close() {
	d.lock.Close()
}

// file is the path of a file in the directory.
func (d *directory) file(elements ...string) string {
	return filepath.Join(append([]string{d.path}, elements...)...)
}

// ports are the loopback ports that the parts listen on.
type ports struct {
	Etcd      int `json:"etcd"`
	APIServer int `json:"kubeAPIServer"`
}

// ports returns the ports of this control plane, chosen when it first starts
// and kept from then on, so that a kubeconfig in use outlives a restart.
func (d *directory) ports() (ports, error) {
	path := d.file("ports.json")
	var p ports
	stored, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if p, err = choosePorts(); err != nil {
			return ports{}, err
		}
		content, err := json.Marshal(p)
		if err != nil {
			return ports{}, err
		}
		return p, replaceFile(path, content)
	}
	if err != nil {
		return ports{}, err
	}
	if err := json.Unmarshal(stored, &p); err != nil {
		return ports{}, fmt.Errorf("read %s: %w", path, err)
	}
	for _, port := range []int{p.Etcd, p.APIServer} {
		if err := waitUntilFree(port); err != nil {
			return ports{}, err
		}
	}
	return p, nil
}

// Ports are chosen below the ranges from which the usual systems give ports to
// outgoing connections, or such a connection could take the port of a part
// while the part is down.
const firstPort, lastPort = 20000, 32767

// choosePorts finds ports that are free now.
func choosePorts() (ports, error) {
	var chosen []int
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		listener, err := listen(port)
		if err != nil {
			continue
		}
		defer listener.Close() // held until all are chosen, so that they differ
		if chosen = append(chosen, port); len(chosen) == 2 {
			return ports{Etcd: chosen[0], APIServer: chosen[1]}, nil
		}
	}
	return ports{}, fmt.Errorf("found no free ports on 127.0.0.1 between %d and %d", firstPort, lastPort)
}

// waitUntilFree gives the parts of an earlier run, killed a moment ago, the
// time to go away.
func waitUntilFree(port int) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		listener, err := listen(port)
		if err == nil {
			return listener.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("another process holds port %d of this control plane: %w", port, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

// replaceFile writes a file for this user alone; who reads it meanwhile sees
// the old content or the new, never a part.
func replaceFile(path string, content []byte) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
