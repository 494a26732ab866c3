package up

import (
	"encoding/base64"
	"fmt"
)

// kubeconfig renders the configuration of a client that needs no other file.
func kubeconfig(server string, authorityPEM []byte, user pair) []byte {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: controlplane
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: admin
  user:
    client-certificate-data: %s
    client-key-data: %s
contexts:
- name: controlplane
  context:
    cluster: controlplane
    user: admin
current-context: controlplane
`, server, encode(authorityPEM), encode(user.certificate), encode(user.key))
}
