package terraform

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestAForeignOrUnreadableStateIsExplained(t *testing.T) {
	made := tinyOptions(t, "m1")
	apply(t, startTiny(t, made))
	state, err := os.ReadFile(filepath.Join(made.Dir, "terraform.tfstate"))
	require.NoError(t, err)
	edit := func(old, with string) string { return strings.ReplaceAll(string(state), old, with) }
	for name, c := range map[string]struct{ state, reason, fix string }{
		"another cluster":  {edit(`"cluster": "ci"`, `"cluster": "shop"`), "belongs to cluster shop on target tiny", "of this cluster's own"},
		"another target":   {edit(`"target": "tiny"`, `"target": "aws"`), "belongs to cluster ci on target aws", "of this cluster's own"},
		"newer jomctl":     {edit(`"layout": 1`, `"layout": 7`), "newer jomctl", "use the newer jomctl"},
		"older jomctl":     {edit(`"layout": 1`, `"layout": 0`), "older jomctl", "older jomctl"},
		"not made by us":   {edit(`"name": "identity"`, `"name": "web"`), "2 resources that jomctl did not make", "of this cluster's own"},
		"newer format":     {edit(`"version": 4`, `"version": 9`), "newer Terraform", "newer one"},
		"half a file":      {string(state[:len(state)/2]), "cannot be read", "terraform.tfstate.backup"},
		"not a state file": {`{"version": 4, "resources": 5}`, "cannot be read", "terraform.tfstate.backup"},
	} {
		t.Run(name, func(t *testing.T) {
			o := tinyOptions(t, "m1")
			d := startTiny(t, o)
			require.NoError(t, os.WriteFile(filepath.Join(o.Dir, "terraform.tfstate"), []byte(c.state), 0o600))
			_, err := d.Plan(t.Context())
			var bad *StateError
			require.ErrorAs(t, err, &bad)
			require.ErrorContains(t, err, c.reason)
			require.Contains(t, bad.Hint(), c.fix)
			_, err = d.PlanDestroy(t.Context())
			require.ErrorAs(t, err, &bad, "above all nothing foreign may be destroyed")
		})
	}
}

func TestTheUsersBackendKeepsTheState(t *testing.T) {
	kept := filepath.Join(t.TempDir(), "elsewhere.tfstate")
	config := filepath.Join(t.TempDir(), "my.tfbackend")
	require.NoError(t, os.WriteFile(config, []byte(`path = "`+kept+`"`), 0o600))
	o := tinyOptions(t, "m1")
	o.Backend = &Backend{Type: "local", ConfigFile: config}
	apply(t, startTiny(t, o))
	require.FileExists(t, kept)
	require.NoFileExists(t, filepath.Join(o.Dir, "terraform.tfstate"))

	o.Backend = nil
	_, err := start(t.Context(), o, fstest.MapFS{"main.tf": {Data: []byte(tiny)}})
	var moved *StateError
	require.ErrorAs(t, err, &moved, "a state is not moved unasked")
	require.Contains(t, moved.Hint(), "init -migrate-state")

	o.Backend = &Backend{Type: "local", ConfigFile: config + ".gone"}
	_, err = start(t.Context(), o, fstest.MapFS{"main.tf": {Data: []byte(tiny)}})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestHostsOfTheUsersOwnTerraform(t *testing.T) {
	binary, dir := program(t), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.tf"), []byte(`
output "machines" { value = [{ name = "m1", address = "198.51.100.7", roles = ["control"] }, { name = "a1", address = "198.51.100.8", port = 2222, user = "ops" }] }
output "twice" { value = [{ name = "m1", address = "198.51.100.7" }, { name = "m1", address = "198.51.100.8" }, { name = "m2" }] }
output "text" { value = "m1" }
output "secret" {
  sensitive = true
  value = "m1"
}`), 0o600))
	var bad *StateError
	_, err := InventoryOf(t.Context(), dir, "machines", binary)
	require.ErrorAs(t, err, &bad, "not applied yet")
	for _, args := range [][]string{{"init"}, {"apply", "-auto-approve"}} {
		out, err := exec.Command(binary, append([]string{"-chdir=" + dir}, args...)...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	hosts, err := InventoryOf(t.Context(), dir, "machines", binary)
	require.NoError(t, err)
	require.Equal(t, []Host{
		{Name: "m1", Address: "198.51.100.7", Roles: []string{"control"}, Port: 22},
		{Name: "a1", Address: "198.51.100.8", Port: 2222, User: "ops"},
	}, hosts)
	for output, reason := range map[string]string{"text": "no list of hosts", "twice": "m1 is there twice; entry 3 has no name or no address",
		"secret": "marked sensitive", "nothing": "there are: machines, secret, text, twice"} {
		_, err := InventoryOf(t.Context(), dir, output, binary)
		require.ErrorAs(t, err, &bad, output)
		require.ErrorContains(t, err, reason)
		require.NotEmpty(t, bad.Hint())
	}
	_, err = InventoryOf(t.Context(), filepath.Join(dir, "gone"), "machines", binary)
	require.ErrorIs(t, err, os.ErrNotExist)
}
