package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/jomctl/jomctl/"

// layers are the rooms of the project, each named by the first folder of its path that says something, with its height. A room's own
// sub-packages may import each other.
var layers = map[string]int{
	"cmd": 4, "e2e": 4,
	"cli":       3,
	"lifecycle": 2, "doctor": 2, "dashboard": 2, "watch": 2,
	"status": 1,
	// The rest is 0.
	"config": 0, "op": 0, "ui": 0, "host": 0, "cluster": 0, "jenkins": 0, "home": 0, "backup": 0,
	"provision": 0, "bundles": 0, "probe": 0, "images": 0, "standin": 0, "testkit": 0, "linkcheck": 0, "wholefile": 0, "jsonlines": 0, "pause": 0, "filesum": 0, "zkclient": 0,
	// Leaves, which every room may use.
	"jenkinsxml": -1,
}

// sideways are the imports within the lowest layer that are allowed.
var sideways = map[string][]string{"provision": {"host"}, "images": {"bundles"}}

// common are small things that every room may use, op apart.
var common = []string{"config", "wholefile", "jsonlines", "pause", "filesum", "zkclient"}

// pkg is what `go list` says about a package.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// room returns the room of an import path and, for commands, which one it is.
func room(path string) (name, command string) {
	parts := strings.Split(strings.TrimPrefix(path, module), "/")
	switch {
	case parts[0] == "internal":
		return parts[1], ""
	case parts[0] == "cmd":
		return "cmd", parts[1]
	}
	return parts[0], ""
}

// isContract says that a package is a contract suite: test code that tests of several packages share.
func isContract(path string) bool { return strings.HasSuffix(path, "/contract") }

// isTestSupport says that a package is what tests share below one folder, such as lifecycle/lifecycletest.
func isTestSupport(path string) bool { return strings.HasSuffix(path, "test") }

// forbidden says why one package of the project may not import another; empty where it may.
func forbidden(from, to string, test bool) string {
	source, command := room(from)
	target, _ := room(to)
	test = test || isContract(from)
	above, known := layers[source]
	if !known {
		return fmt.Sprintf("%s is in no room that this test knows", from)
	}
	below, known := layers[target]
	switch {
	case !known:
		return fmt.Sprintf("%s is in no room that this test knows", to)
	case isContract(to) && !test && source != "e2e":
		return "contract suites are for tests only"
	case isTestSupport(to) && !test:
		return "it is for tests only"
	case source == target && source != "cmd":
		return ""
	case target == "testkit" && test:
		return ""
	case target == "testkit":
		return "testkit is for tests only"
	case target == "standin" && source != "e2e" && command != "standin":
		return "nothing outside e2e and cmd/standin imports standin"
	case target == "ui" && source != "cli" && source != "e2e":
		return "only cli imports ui"
	case source == "op":
		return "op imports nothing of the project"
	case slices.Contains(common, target):
		return ""
	case below < above:
		return ""
	case below == above && slices.Contains(sideways[source], target):
		return ""
	}
	return "imports go cmd -> cli -> lifecycle -> status -> the rest, and not sideways"
}

func TestImportsGoOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...").Output()
	require.NoError(t, err)
	decoder, count := json.NewDecoder(bytes.NewReader(out)), 0
	for {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		count++
		check(t, p.ImportPath, p.Imports, false)
		check(t, p.ImportPath, append(p.TestImports, p.XTestImports...), true)
	}
	require.Greater(t, count, 10, "go list saw the project")
}

func check(t *testing.T, from string, imports []string, test bool) {
	for _, to := range imports {
		if !strings.HasPrefix(to, module) || to == from {
			continue
		}
		if why := forbidden(from, to, test); why != "" {
			t.Errorf("%s imports %s (in a test: %t): %s", from, to, test, why)
		}
	}
}

func TestForbiddenEdges(t *testing.T) {
	for _, edge := range []struct {
		from, to string
		test     bool
		allowed  bool
	}{
		{"cmd/jomctl", "internal/cli", false, true},
		{"cmd/jomhome", "internal/home", false, true},
		{"cmd/jomhome", "internal/standin/jenkins", false, false},
		{"cmd/standin", "internal/standin/jenkins", false, true},
		{"cmd/standin", "cmd/jomctl", false, false},
		{"cmd/jomctl", "internal/ui", false, false},
		{"internal/cli", "internal/ui", false, true},
		{"internal/cli", "internal/lifecycle", false, true},
		{"internal/lifecycle", "internal/cli", false, false},
		{"internal/lifecycle", "internal/ui", false, false},
		{"internal/lifecycle", "internal/status", false, true},
		{"internal/lifecycle", "provision", false, true},
		{"internal/status", "internal/lifecycle", false, false},
		{"internal/doctor", "internal/status", false, true},
		{"internal/doctor", "internal/lifecycle", false, false},
		{"internal/lifecycle", "internal/doctor", false, false},
		{"internal/dashboard", "internal/status", false, true},
		{"internal/dashboard", "internal/lifecycle", false, false},
		{"internal/watch", "internal/probe", false, true},
		{"internal/watch", "internal/dashboard", false, false},
		{"internal/status", "internal/cluster", false, true},
		{"internal/cluster", "internal/jenkins", false, false},
		{"internal/cluster", "internal/config", false, true},
		{"internal/op", "internal/config", false, false},
		{"internal/config", "internal/op", false, false},
		{"provision", "internal/host", false, true},
		{"provision", "bundles", false, false},
		{"images", "bundles", false, true},
		{"bundles", "images", false, false},
		{"internal/cluster", "internal/testkit", true, true},
		{"internal/cluster", "internal/testkit", false, false},
		{"internal/cluster", "internal/standin/mesos/master", true, false},
		{"e2e", "internal/standin/mesos/master", true, true},
		{"internal/standin/mesos/master", "internal/standin/mesos/wire", false, true},
		{"internal/standin/mesos/contract", "internal/testkit", false, true},
		{"internal/standin/mesos/master", "internal/standin/mesos/contract", true, true},
		{"internal/standin/mesos/master", "internal/standin/mesos/contract", false, false},
		{"internal/lifecycle/war", "internal/lifecycle/lifecycletest", true, true},
		{"internal/lifecycle/war", "internal/lifecycle/lifecycletest", false, false},
		{"internal/util", "internal/config", false, false},
		{"internal/cli", "internal/util", false, false},
	} {
		why := forbidden(module+edge.from, module+edge.to, edge.test)
		require.Equal(t, edge.allowed, why == "", "%s -> %s: %s", edge.from, edge.to, why)
	}
}
