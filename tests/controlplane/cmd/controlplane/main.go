// Command controlplane is a whole Kubernetes control plane in one binary:
// etcd, kube-apiserver, kube-controller-manager and kubectl as they are
// released, and `up`, which runs them together. The program is the first
// argument, or the name that the binary is called by.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	_ "time/tzdata" // as in the released programs, for the time zones of schedules

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // the clients' metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // the version as a metric
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"

	"countersign.dev/controlplane/internal/lifeline"
	"countersign.dev/controlplane/internal/up"
)

var programs = []string{"up", "kubectl", "etcd", "kube-apiserver", "kube-controller-manager"}

func main() {
	lifeline.Watch()

	// Each program finds its own name and arguments in os.Args, as if it had
	// a binary to itself.
	program := filepath.Base(os.Args[0])
	if !slices.Contains(programs, program) && len(os.Args) > 1 {
		os.Args = os.Args[1:]
		program = os.Args[0]
	}
	switch program {
	case "up":
		os.Exit(runUp())
	case "kubectl":
		kubectlutil.CheckErr(cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()))
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "kube-controller-manager":
		os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
	default:
		fmt.Fprintf(os.Stderr, "%q is no program of the control plane: use one of %q\n", program, programs)
		os.Exit(2)
	}
}

func runUp() int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "up: find the own binary:", err)
		return 1
	}
	own := up.FromExecutable(self)
	return up.Main(os.Args[1:], &own)
}
