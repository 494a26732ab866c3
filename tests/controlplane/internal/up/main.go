package up

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
)

// AssetsVariable names the directory with the programs to run where --assets
// does not, as for other tools that test against a control plane.
const AssetsVariable = "KUBEBUILDER_ASSETS"

// Main is the command `up`. Own says which programs to run where no directory
// of programs is given; it is nil where there are no others. Main returns the
// exit status.
func Main(arguments []string, own *Programs) int {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	directory := flags.String("dir", "", "keep the control plane's data, keys, logs and kubeconfig in this `directory`")
	assets := flags.String("assets", os.Getenv(AssetsVariable),
		"run the etcd, kube-apiserver, kube-controller-manager (if there is one) and kubectl of this `directory`;\n"+
			"the default is "+AssetsVariable)
	stopWithStdin := flags.Bool("stop-with-stdin", false, "stop at the end of the standard input")
	switch err := flags.Parse(arguments); {
	case err == flag.ErrHelp:
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		return refuse(flags, fmt.Sprintf("unexpected argument %q", flags.Arg(0)))
	case *directory == "":
		return refuse(flags, "--dir is required")
	case *assets == "" && own == nil:
		return refuse(flags, "--assets or "+AssetsVariable+" is required: this build has no programs of its own")
	}

	logger := log.New(os.Stderr, "up: ", 0)
	programs := own
	if *assets != "" {
		found, err := FromAssets(*assets)
		if err != nil {
			logger.Print(err)
			return 1
		}
		programs = &found
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	if *stopWithStdin {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	if err := Run(ctx, *directory, *programs, os.Stdout, logger); err != nil {
		logger.Print(err)
		return 1
	}
	return 0
}

func refuse(flags *flag.FlagSet, reason string) int {
	fmt.Fprintf(flags.Output(), "%s\n\nUsage of up:\n", reason)
	flags.PrintDefaults()
	return 2
}
