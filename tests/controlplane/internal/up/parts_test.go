package up

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"countersign.dev/controlplane/internal/lifeline"
)

// TestMain also makes the test binary a control plane: called like the real one,
// it is `up` and each of the parts, which here do what `up` can see of them and
// no more. So the tests take a second, and need no Kubernetes.
func TestMain(m *testing.M) {
	arguments := os.Args
	if !slices.Contains(played, filepath.Base(arguments[0])) {
		arguments = arguments[1:]
	}
	if len(arguments) == 0 || !slices.Contains(played, filepath.Base(arguments[0])) {
		os.Exit(m.Run())
	}
	lifeline.Watch()
	var err error
	switch filepath.Base(arguments[0]) {
	case "up":
		var self string
		if self, err = os.Executable(); err == nil {
			own := FromExecutable(self)
			os.Exit(Main(arguments[1:], &own))
		}
	case etcd:
		err = playEtcd(arguments[1:])
	case apiServer:
		err = playAPIServer(arguments[1:])
	case controllerManager:
		select {}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

var played = []string{"up", etcd, apiServer, controllerManager}

// parse picks the options that a part needs here out of all that it is given.
func parse(arguments []string, names ...string) (map[string]string, error) {
	values := map[string]string{}
	for _, argument := range arguments {
		if name, value, found := strings.Cut(strings.TrimPrefix(argument, "--"), "="); found {
			values[name] = value
		}
	}
	for _, name := range names {
		if values[name] == "" {
			return nil, fmt.Errorf("--%s is missing", name)
		}
	}
	return values, nil
}

func playEtcd(arguments []string) error {
	options, err := parse(arguments, "data-dir", "listen-client-urls")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(options["data-dir"], 0o700); err != nil {
		return err
	}
	address, err := url.Parse(options["listen-client-urls"])
	if err != nil {
		return err
	}
	return http.ListenAndServe(address.Host, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			http.NotFound(w, r)
		}
	}))
}

func playAPIServer(arguments []string) error {
	options, err := parse(arguments, "secure-port", "tls-cert-file", "tls-private-key-file", "client-ca-file")
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(options["client-ca-file"])
	if err != nil {
		return err
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(authority) {
		return fmt.Errorf("no certificate in %s", options["client-ca-file"])
	}
	known := []string{"/readyz", "/api/v1/namespaces/default", "/api/v1/namespaces/default/serviceaccounts/default"}
	server := &http.Server{
		Addr:      net.JoinHostPort("127.0.0.1", options["secure-port"]),
		TLSConfig: &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !slices.Contains(known, r.URL.Path) {
				http.NotFound(w, r)
			}
		}),
	}
	return server.ListenAndServeTLS(options["tls-cert-file"], options["tls-private-key-file"])
}
