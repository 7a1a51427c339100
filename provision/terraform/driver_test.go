package terraform

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// tiny is a module with the inputs' two that matter and built-in resources alone. A file named "hold" in the folder makes the
// provisioner wait until it is gone.
const tiny = `
variable "cluster" { type = string }
variable "hosts" { type = any }
variable "ssh_public_key" { type = string }

resource "terraform_data" "identity" {
  input = { cluster = var.cluster, target = "tiny", layout = 1 }
}
resource "terraform_data" "host" {
  for_each   = { for h in var.hosts : h.name => h }
  depends_on = [terraform_data.identity]
  triggers_replace = [each.value.number]
  input = each.value.roles
  provisioner "local-exec" {
    command = "echo making ${each.key}; touch started; while [ -e hold ]; do sleep 0.05; done"
  }
}
output "inventory" {
  value = [for h in var.hosts : { name = h.name, number = h.number, address = "10.0.0.${h.number}", roles = h.roles, attributes = {}, user = "admin", port = 22, ssh_address = "" }]
}
`

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHt86CayBjRmOT38vaUSuErbJyq0LxJ68n test"

// program is a real Terraform; the test is skipped where there is none.
func program(t testing.TB) string {
	t.Helper()
	path, err := find(context.Background(), "")
	switch {
	case err == nil:
	case os.Getenv("JOMCTL_TEST_LAB") == "1":
		t.Fatalf("JOMCTL_TEST_LAB=1 says that there must be a Terraform: %v", err)
	default:
		t.Skipf("no Terraform (scripts/setup-terraform.sh): %v", err)
	}
	return path
}

// lines collects progress.
type lines struct {
	sync.Mutex
	all []string
}

func (l *lines) add(line string) {
	l.Lock()
	defer l.Unlock()
	l.all = append(l.all, line)
}

func (l *lines) text() string {
	l.Lock()
	defer l.Unlock()
	return strings.Join(l.all, "\n")
}

func tinyOptions(t testing.TB, hosts ...string) Options {
	o := Options{Dir: filepath.Join(t.TempDir(), "terraform"), Target: "tiny", Program: program(t)}
	o.Variables = Variables{Cluster: "ci", SSHPublicKey: key}
	for _, name := range hosts {
		o.Variables.Hosts = append(o.Variables.Hosts, HostVar{Name: name, Roles: []string{"mesos-agent"}})
	}
	o.Variables.Hosts = Number(o.Variables.Hosts, nil)
	return o
}

func startTiny(t testing.TB, o Options) *Driver {
	t.Helper()
	d, err := start(t.Context(), o, fstest.MapFS{"main.tf": {Data: []byte(tiny)}})
	require.NoError(t, err)
	return d
}

func apply(t testing.TB, d *Driver) {
	t.Helper()
	p, err := d.Plan(t.Context())
	require.NoError(t, err)
	require.NoError(t, d.Apply(t.Context(), p))
}

func TestAShownPlanIsAppliedOnceAndTheNextIsEmpty(t *testing.T) {
	var seen lines
	o := tinyOptions(t, "m1", "a1")
	o.Progress = seen.add
	d := startTiny(t, o)
	require.Contains(t, seen.text(), "Initializing the backend")
	before, err := d.Inventory(t.Context())
	require.NoError(t, err)
	require.Empty(t, before)

	p, err := d.Plan(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{`terraform_data.host["a1"]`, `terraform_data.host["m1"]`, "terraform_data.identity"}, p.Create)
	require.Contains(t, p.Text(), "create 3, change 0, replace 0 and destroy 0")
	require.Contains(t, p.Text(), `+   terraform_data.host["m1"]`)
	require.False(t, p.Empty())
	require.NoError(t, d.Apply(t.Context(), p))
	require.Contains(t, seen.text(), "making m1", "what a provisioner says is progress")
	var stale *StalePlanError
	require.ErrorAs(t, d.Apply(t.Context(), p), &stale, "a plan is for one use")

	hosts, err := d.Inventory(t.Context())
	require.NoError(t, err)
	require.Equal(t, Host{Name: "m1", Number: 1, Address: "10.0.0.1", Roles: []string{"mesos-agent"}, Attributes: map[string]string{}, User: "admin", Port: 22}, hosts[0])

	again, err := d.Plan(t.Context())
	require.NoError(t, err)
	require.True(t, again.Empty(), again.Text())
	require.NoError(t, again.Discard())
	left, err := filepath.Glob(filepath.Join(o.Dir, "*.tfplan"))
	require.NoError(t, err)
	require.Empty(t, left, "plan files hold all inputs and must not pile up")
}

func TestAPlanTellsChangesReplacementsAndTheEndApart(t *testing.T) {
	o := tinyOptions(t, "m1", "a1", "a2")
	apply(t, startTiny(t, o))

	o.Variables.Hosts = []HostVar{
		{Name: "m1", Number: 1, Roles: []string{"control"}},
		{Name: "a1", Number: 9, Roles: []string{"mesos-agent"}},
	}
	d := startTiny(t, o)
	p, err := d.Plan(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{`terraform_data.host["m1"]`}, p.Change)
	require.Equal(t, []string{`terraform_data.host["a1"]`}, p.Replace)
	require.Equal(t, []string{`terraform_data.host["a2"]`}, p.Destroy)
	require.Equal(t, []string{"inventory"}, p.Outputs)
	require.Empty(t, p.Create)
	require.NoError(t, d.Apply(t.Context(), p))

	end, err := d.PlanDestroy(t.Context())
	require.NoError(t, err)
	require.Len(t, end.Destroy, 3)
	require.NoError(t, d.Apply(t.Context(), end))
	hosts, err := d.Inventory(t.Context())
	require.NoError(t, err)
	require.Empty(t, hosts)
}

func TestAPlanThatNoLongerHoldsIsRefused(t *testing.T) {
	o := tinyOptions(t, "m1")
	d := startTiny(t, o)
	first, err := d.Plan(t.Context())
	require.NoError(t, err)
	apply(t, d)
	var stale *StalePlanError
	require.ErrorAs(t, d.Apply(t.Context(), first), &stale, "the state changed after the plan was shown")
	require.Contains(t, stale.Hint(), "plan again")

	o.Variables.Hosts = Number(append(o.Variables.Hosts, HostVar{Name: "a1", Roles: []string{"mesos-agent"}}), nil)
	d = startTiny(t, o)
	shown, err := d.Plan(t.Context())
	require.NoError(t, err)
	other, err := d.PlanDestroy(t.Context())
	require.NoError(t, err)
	data, err := os.ReadFile(other.file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(shown.file, data, 0o600))
	require.ErrorAs(t, d.Apply(t.Context(), shown), &stale, "another plan in the place of the shown one")
	require.ErrorAs(t, startTiny(t, o).Apply(t.Context(), other), &stale, "a plan of another driver")
	hosts, err := d.Inventory(t.Context())
	require.NoError(t, err)
	require.Len(t, hosts, 1, "nothing was destroyed")
}

func TestALockedStateNamesWhoAndSince(t *testing.T) {
	o := tinyOptions(t, "m1")
	holder := startTiny(t, o)
	p, err := holder.Plan(t.Context())
	require.NoError(t, err)
	hold := filepath.Join(o.Dir, "hold")
	require.NoError(t, os.WriteFile(hold, nil, 0o600))
	done := make(chan error, 1)
	go func() { done <- holder.Apply(context.Background(), p) }()
	waitFor(t, filepath.Join(o.Dir, "started"))

	_, err = holder.Plan(t.Context())
	var locked *LockedError
	require.ErrorAs(t, err, &locked)
	require.NotEmpty(t, locked.ID)
	require.Contains(t, locked.Who, "@")
	require.Equal(t, "OperationTypeApply", locked.Operation)
	require.NotEmpty(t, locked.Created)
	require.Contains(t, locked.Error(), locked.Who)
	require.Contains(t, locked.Hint(), "terraform -chdir="+o.Dir+" force-unlock "+locked.ID)

	require.NoError(t, os.Remove(hold))
	require.NoError(t, <-done)
}

func TestACancelledApplyEndsInOrderAndCanGoOn(t *testing.T) {
	o := tinyOptions(t, "m1")
	d := startTiny(t, o)
	p, err := d.Plan(t.Context())
	require.NoError(t, err)
	hold := filepath.Join(o.Dir, "hold")
	require.NoError(t, os.WriteFile(hold, nil, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Apply(ctx, p) }()
	waitFor(t, filepath.Join(o.Dir, "started"))
	cancel()
	err = <-done
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "interrupted")

	require.NoError(t, os.Remove(hold))
	again, err := d.Plan(t.Context())
	require.NoError(t, err, "the lock is released and the state is whole")
	require.Equal(t, []string{`terraform_data.host["m1"]`}, again.Replace, "the half-made host was written down as such")
	require.NoError(t, d.Apply(t.Context(), again))
}

func waitFor(t testing.TB, path string) {
	t.Helper()
	testkit.Eventually(t, 2*time.Minute, path+" is there", func(context.Context) bool {
		_, err := os.Stat(path)
		return err == nil
	})
}

func TestTerraformsOwnErrorIsTheMessage(t *testing.T) {
	o := tinyOptions(t, "m1")
	d, err := start(t.Context(), o, fstest.MapFS{"main.tf": {Data: []byte(tiny + `
resource "terraform_data" "broken" {
  provisioner "local-exec" { command = "echo no space left on the shelf >&2; exit 3" }
}`)}})
	require.NoError(t, err)
	p, err := d.Plan(t.Context())
	require.NoError(t, err)
	err = d.Apply(t.Context(), p)
	require.ErrorContains(t, err, "apply the plan with Terraform: local-exec provisioner error")
	require.ErrorContains(t, err, "no space left on the shelf")

	_, err = start(t.Context(), tinyOptions(t, "m1"), fstest.MapFS{"main.tf": {Data: []byte("resource {")}})
	require.ErrorContains(t, err, "initialise with Terraform")
	require.NotContains(t, err.Error(), "│", "Terraform's frame is taken off")
}

func TestTheEnvironmentCannotChangeWhatIsShown(t *testing.T) {
	o := tinyOptions(t, "m1", "a1")
	t.Setenv("TF_CLI_ARGS_plan", `-target=terraform_data.identity`)
	t.Setenv("TF_VAR_cluster", "shop")
	t.Setenv("TF_DATA_DIR", t.TempDir())
	p, err := startTiny(t, o).Plan(t.Context())
	require.NoError(t, err)
	require.Len(t, p.Create, 3)
}

func TestTheFolderIsForItsOwnerAlone(t *testing.T) {
	o := tinyOptions(t, "m1")
	d := startTiny(t, o)
	info, err := os.Stat(o.Dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	p, err := d.Plan(t.Context())
	require.NoError(t, err)
	info, err = os.Stat(p.file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	data, err := os.ReadFile(filepath.Join(o.Dir, variablesFile))
	require.NoError(t, err)
	var variables map[string]any
	require.NoError(t, json.Unmarshal(data, &variables))
	require.Equal(t, []string{"cluster", "hosts", "ssh_public_key"}, sorted(variables), "what is not set is the module's default")
}
