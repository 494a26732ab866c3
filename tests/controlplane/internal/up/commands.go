package up

import "fmt"

// credentials are the files that the parts prove and check identities with.
type credentials struct {
	authority         string // certificate of the authority
	serving, key      string // the API server's certificate and key
	serviceAccountKey string // signs the tokens of service accounts
}

// etcdArguments make an etcd of one member. It does not wait for the disk: what
// a crash of the whole machine loses is no loss here.
func etcdArguments(dataDirectory, address string) []string {
	return []string{
		"--data-dir=" + dataDirectory,
		"--listen-client-urls=" + address,
		"--advertise-client-urls=" + address,
		"--listen-peer-urls=http://127.0.0.1:0",
		"--unsafe-no-fsync",
	}
}

// apiServerArguments leave everything that clients meet as in production: the
// default admission plugins, RBAC, fairness between clients.
func apiServerArguments(c credentials, port int, etcdAddress string) []string {
	const issuer = "https://kubernetes.default.svc"
	return []string{
		"--etcd-servers=" + etcdAddress,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file=" + c.serving,
		"--tls-private-key-file=" + c.key,
		"--client-ca-file=" + c.authority,
		"--authorization-mode=RBAC",
		"--service-account-issuer=" + issuer,
		"--service-account-key-file=" + c.serviceAccountKey,
		"--service-account-signing-key-file=" + c.serviceAccountKey,
		"--service-cluster-ip-range=10.0.0.0/24",
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", // the endpoints of a service can't be a loopback address
		"--profiling=false",
	}
}

// controllerManagerArguments run the controllers that mean something without
// nodes.
func controllerManagerArguments(c credentials, kubeconfig string) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--controllers=namespace-controller,garbage-collector-controller,clusterrole-aggregation-controller," +
			"serviceaccount-controller,serviceaccount-token-controller,root-ca-certificate-publisher-controller",
		"--service-account-private-key-file=" + c.serviceAccountKey,
		"--root-ca-file=" + c.authority,
		"--kube-api-qps=200", // deleting a namespace with thousands of objects takes as many requests
		"--kube-api-burst=400",
		"--leader-elect=false",
		"--secure-port=0",
		"--profiling=false",
	}
}
