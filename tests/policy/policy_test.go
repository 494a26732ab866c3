// Package policy holds the example of policies (examples/pull-requests/policy) against the plans of the built program, with the
// engine that conftest has, and what the documentation gives to Argo CD against what resources say.
package policy

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/rego"
)

const repository = "../.."

// run runs a command in a folder; its output, and whether its exit status is one of those that are wanted.
func run(t *testing.T, folder string, wanted []int, name string, arguments ...string) []byte {
	t.Helper()
	command := exec.Command(name, arguments...)
	command.Dir = folder
	command.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a",
		"GIT_COMMITTER_EMAIL=a@example.com")
	output, err := command.Output()
	var exit *exec.ExitError
	code := 0
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(wanted, code) {
		t.Fatalf("%s %v: exit status %d\n%s", name, arguments, code, exit.Stderr)
	}
	return output
}

// plan is what the program plans for a contract of the examples whose text is changed.
func plan(t *testing.T, change func(string) string) any {
	t.Helper()
	program := os.Getenv("COUNTERSIGN")
	if program == "" {
		t.Fatal("COUNTERSIGN must name the built program: run `make test-policy`")
	}
	folder := t.TempDir()
	text, err := os.ReadFile(filepath.Join(repository, "examples/orders/contracts/acme-2026.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "acme-2026.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(string(text))
	run(t, folder, []int{0}, "git", "init", "--quiet")
	run(t, folder, []int{0}, "git", "add", "--all")
	run(t, folder, []int{0}, "git", "commit", "--quiet", "--message", "Before")
	if changed := change(string(text)); changed == "" {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	} else {
		write(changed)
	}
	output := run(t, folder, []int{0, 2, 3}, program, "plan", "--base", "HEAD", "--output", "json", ".")
	var plan any
	if err := json.Unmarshal(output, &plan); err != nil {
		t.Fatal(err)
	}
	return plan
}

// asked is what the policies say of a plan.
func asked(t *testing.T, rule string, plan any) []string {
	t.Helper()
	query := rego.New(
		rego.Query("data.main."+rule),
		rego.Load([]string{filepath.Join(repository, "examples/pull-requests/policy")}, nil),
		rego.Input(plan),
		rego.Strict(true),
	)
	results, err := query.Eval(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 {
		t.Fatalf("there is no rule %s", rule)
	}
	var told []string
	for _, message := range results[0].Expressions[0].Value.([]any) {
		told = append(told, message.(string))
	}
	return told
}

func replaced(before, after string) func(string) string {
	return func(text string) string { return strings.Replace(text, before, after, 1) }
}

func TestPoliciesRefuseWhatTheyName(t *testing.T) {
	cases := []struct {
		name, rule, told string
		change           func(string) string
	}{
		{"a change within bounds", "deny", "", replaced(`"18000"`, `"19000"`)},
		{"nothing", "warn", "", replaced("", "")},
		{"a price that falls to zero", "deny", "/items/enterprise_support/fixedFeeAmount goes from 18000 to 0", replaced(`"18000"`, `"0"`)},
		{"a commitment beyond the most", "deny", "commitments rise by 780000 USD in all", replaced(`"120000"`, `"900000"`)},
		{"what is refused", "deny", "1 resources are refused", replaced(`"18000"`, `"18,000"`)},
		{"a file that is gone", "warn", "its file is gone", func(string) string { return "" }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			told := asked(t, c.rule, plan(t, c.change))
			if c.told == "" && len(told) > 0 || c.told != "" && (len(told) != 1 || !strings.Contains(told[0], c.told)) {
				t.Fatalf("wanted %q, told %q", c.told, told)
			}
		})
	}
}
