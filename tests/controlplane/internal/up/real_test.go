package up

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const ruledDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: terms.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: terms, singular: term, kind: Term}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [start, end]
            properties: {start: {type: integer}, end: {type: integer}}
            x-kubernetes-validations:
            - {rule: self.start < self.end, message: the start must be before the end}
`

func term(spec string) string {
	return "apiVersion: example.com/v1\nkind: Term\nmetadata: {name: it, namespace: scratch}\nspec: " + spec + "\n"
}

// kubectl runs the control plane's kubectl as its administrator.
func (c *controlPlane) kubectl(t *testing.T, stdin string, arguments ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.Kubectl, append([]string{"--kubeconfig", c.Kubeconfig}, arguments...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	return strings.TrimSpace(output.String()), err
}

// expectKubectl is for a command that has to succeed.
func (c *controlPlane) expectKubectl(t *testing.T, stdin string, arguments ...string) string {
	t.Helper()
	output, err := c.kubectl(t, stdin, arguments...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
	return output
}

func TestItBehavesAsAClusterInProductionDoes(t *testing.T) {
	if *binary == "" {
		t.Skip("played parts can't show it: give -controlplane")
	}
	c := start(t, newDirectory(t))
	c.expectKubectl(t, ruledDefinition, "apply", "-f", "-")
	c.expectKubectl(t, "", "wait", "--for=condition=Established", "crd/terms.example.com", "--timeout=30s")
	c.expectKubectl(t, "", "create", "namespace", "scratch")

	if output, err := c.kubectl(t, term("{start: 2, end: 1}"), "apply", "-f", "-"); err == nil ||
		!strings.Contains(output, "the start must be before the end") {
		t.Errorf("the rule of the definition does not hold: %v\n%s", err, output)
	}
	c.expectKubectl(t, term("{start: 1, end: 2}"), "apply", "-f", "-")
	c.expectKubectl(t, term("{start: 1, end: 3}"), "apply", "--server-side", "--force-conflicts", "-f", "-")

	token := c.expectKubectl(t, "", "create", "token", "default", "--namespace", "scratch")
	// The administrator's certificate would win over the token.
	whoever := []string{"--kubeconfig", "/dev/null", "--server", c.Server, "--token", token,
		"--certificate-authority", c.directory + "/pki/ca.crt", "--namespace", "scratch", "get", "configmaps"}
	if output, err := c.kubectl(t, "", whoever...); err == nil ||
		!strings.Contains(output, `User "system:serviceaccount:scratch:default" cannot list resource`) {
		t.Errorf("a service account without a role may list: %v\n%s", err, output)
	}
	c.expectKubectl(t, "", "create", "rolebinding", "reader", "--namespace", "scratch",
		"--clusterrole=view", "--serviceaccount=scratch:default")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		output, err := c.kubectl(t, "", whoever...)
		if err == nil && strings.Contains(output, "kube-root-ca.crt") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a service account with a role may not list: %v\n%s", err, output)
		}
	}

	c.expectKubectl(t, "", "delete", "namespace", "scratch", "--timeout=60s")
}
