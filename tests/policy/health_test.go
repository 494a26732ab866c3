package policy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"go.yaml.in/yaml/v3"
)

// health is the script of docs/operations.md by which Argo CD knows how a resource stands.
func health(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(repository, "docs/operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(page), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(block, "\n```")
		var config struct {
			Data map[string]string `yaml:"data"`
		}
		if yaml.Unmarshal([]byte(text), &config) != nil || config.Data["resource.customizations"] == "" {
			continue
		}
		var customizations map[string]map[string]string
		if err := yaml.Unmarshal([]byte(config.Data["resource.customizations"]), &customizations); err != nil {
			t.Fatal(err)
		}
		return customizations["billing.countersign.dev/*"]["health.lua"]
	}
	t.Fatal("docs/operations.md has no script")
	return ""
}

// value is JSON as Lua has it.
func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case map[string]any:
		table := state.NewTable()
		for name, member := range from {
			table.RawSetString(name, value(state, member))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, member := range from {
			table.Append(value(state, member))
		}
		return table
	case string:
		return lua.LString(from)
	case bool:
		return lua.LBool(from)
	case float64:
		return lua.LNumber(from)
	default:
		return lua.LNil
	}
}

// TestArgoCDKnowsHowAResourceStands runs the script with the interpreter that Argo CD has.
func TestArgoCDKnowsHowAResourceStands(t *testing.T) {
	script := health(t)
	ready := `{"type": "Ready", "status": "True", "message": "in force"}`
	waits := func(reason string) string {
		return `{"type": "Ready", "status": "False", "message": "waits"}, {"type": "Reconciling", "status": "True", "reason": "` +
			reason + `", "message": "waits"}`
	}
	refused := `{"type": "Ready", "status": "False", "message": "refused"}, {"type": "Stalled", "status": "True", "message": "refused"}`
	of := func(observed, conditions string) string {
		return `{"metadata": {"generation": 2}, "spec": {}, "status": {"observedGeneration": ` + observed + `, "conditions": [` +
			conditions + `]}}`
	}
	for _, one := range []struct{ object, status, message string }{
		{`{"metadata": {"generation": 1}, "spec": {}}`, "Progressing", "Countersign has not seen this version yet"},
		{of("-1", ""), "Progressing", "Countersign has not seen this version yet"},
		{of("1", ready), "Progressing", "Countersign has not seen this version yet"},
		{of("2", ready), "Healthy", "in force"},
		{of("2", ready+`, {"type": "Drifted", "status": "True", "message": "differs"}`), "Healthy", "in force"},
		{of("2", waits("ProgressingWithRetry")), "Progressing", "waits"},
		{of("2", waits("AwaitingApproval")), "Suspended", "waits"},
		{of("2", refused), "Degraded", "refused"},
		{of("2", `{"type": "Ready", "status": "False", "message": "not in billing"}`), "Progressing", ""},
		{`{"metadata": {"generation": 2}, "spec": {"suspend": true}}`, "Suspended", "spec.suspend is set"},
	} {
		var object any
		if err := json.Unmarshal([]byte(one.object), &object); err != nil {
			t.Fatal(err)
		}
		state := lua.NewState()
		state.SetGlobal("obj", value(state, object))
		if err := state.DoString(script); err != nil {
			t.Fatal(err)
		}
		told, _ := state.Get(-1).(*lua.LTable)
		if told == nil {
			t.Fatalf("%s: no answer", one.object)
		}
		status, message := told.RawGetString("status").String(), told.RawGetString("message").String()
		if status != one.status || message != one.message {
			t.Errorf("%s is %s (%q), not %s (%q)", one.object, status, message, one.status, one.message)
		}
		state.Close()
	}
}
