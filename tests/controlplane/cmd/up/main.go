// Command up runs a control plane from the programs in a directory. It is what
// the command of that name in cmd/controlplane does, without the minutes that
// building Kubernetes takes.
package main

import (
	"os"

	"countersign.dev/controlplane/internal/up"
)

func main() {
	arguments := os.Args[1:]
	if len(arguments) > 0 && arguments[0] == "up" { // the name it has in the other binary
		arguments = arguments[1:]
	}
	os.Exit(up.Main(arguments, nil))
}
