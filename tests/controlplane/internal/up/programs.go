package up

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The parts, by the names of their programs, log files and pid files.
const (
	etcd              = "etcd"
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
)

// Programs says what to run for each part.
type Programs struct {
	commands map[string][]string // the start of each part's command line
	kubectl  string              // run under the name kubectl
}

// FromExecutable takes every program from one executable, which runs the
// program that its first argument or its own name says.
func FromExecutable(path string) Programs {
	return Programs{
		commands: map[string][]string{
			etcd:              {path, etcd},
			apiServer:         {path, apiServer},
			controllerManager: {path, controllerManager},
		},
		kubectl: path,
	}
}

// FromAssets takes the programs from a directory as setup-envtest fills it,
// which lacks the controller manager.
func FromAssets(directory string) (Programs, error) {
	directory, err := filepath.Abs(directory)
	if err != nil {
		return Programs{}, err
	}
	p := Programs{commands: map[string][]string{}, kubectl: filepath.Join(directory, "kubectl")}
	for _, name := range []string{etcd, apiServer, controllerManager, "kubectl"} {
		path := filepath.Join(directory, name)
		_, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == controllerManager:
		case err != nil:
			return Programs{}, fmt.Errorf("the assets are not complete: %w", err)
		case name != "kubectl":
			p.commands[name] = []string{path}
		}
	}
	return p, nil
}

// hasControllers tells whether there is a controller manager to run.
func (p Programs) hasControllers() bool {
	return p.commands[controllerManager] != nil
}
