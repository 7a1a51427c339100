package machines

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision/terraform"
)

// installed records the cluster as an install does, on the machines that are kept.
func installed(t *testing.T, c *config.Cluster) {
	t.Helper()
	require.NoError(t, inventory.Complete(c))
	require.NoError(t, record.WriteInstalled(c))
}

// cloud is Terraform with machines that are names.
type cloud struct {
	plan     terraform.Plan
	hosts    []terraform.Host
	applied  int
	applying func() error
}

func (f *cloud) Plan(context.Context) (*terraform.Plan, error) { return &f.plan, nil }

func (f *cloud) PlanDestroy(context.Context) (*terraform.Plan, error) { return &f.plan, nil }

func (f *cloud) Inventory(context.Context) ([]terraform.Host, error) { return f.hosts, nil }

func (f *cloud) Apply(context.Context, *terraform.Plan) error {
	f.applied++
	if f.applying != nil {
		return f.applying()
	}
	return nil
}

// machinesOf are machines whose logins succeed, unless refuses says otherwise; met are those that were logged in to.
func machinesOf(c *config.Cluster, f *cloud, refuses func(string) error, met *[]string) *Machines {
	m := &Machines{cluster: c, driver: f, plan: &f.plan, now: f.hosts}
	m.kept, _ = inventory.Read(c)
	m.meet = func(_ context.Context, o host.Options, _ op.Say) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		*met = append(*met, o.Name+" "+o.Address)
		if refuses != nil {
			return refuses(o.Name)
		}
		return nil
	}
	return m
}

func TestOnlyMachinesThatAreMadeAreMet(t *testing.T) {
	c := lifecycletest.Written(t, lifecycletest.OnMachines)
	require.NoError(t, inventory.Machines{Hosts: lifecycletest.ThreeMachines()[:1]}.Write(c))
	f := &cloud{plan: terraform.Plan{Create: []string{`terraform_data.host["a1"]`, `terraform_data.host["a2"]`, `openstack_networking_floatingip_v2.host["m1"]`}}, hosts: lifecycletest.ThreeMachines()}
	f.applying = func() error {
		kept, err := inventory.Read(c)
		require.NoError(t, err)
		assert.Equal(t, []string{"a1", "a2"}, kept.Making, "known before Terraform begins")
		return nil
	}
	var met []string
	m := machinesOf(c, f, func(name string) error {
		if name == "a2" {
			return errors.New("no route")
		}
		return nil
	}, &met)
	_, err := op.Run(t.Context(), m.Plan(), op.Options{})
	require.ErrorContains(t, err, "no route")
	assert.ElementsMatch(t, []string{"a1 10.0.0.12", "a2 10.0.0.13"}, met)

	met = nil
	again := machinesOf(c, &cloud{hosts: lifecycletest.ThreeMachines()}, nil, &met)
	preview, err := op.Preview(t.Context(), again.Plan())
	require.NoError(t, err)
	require.False(t, preview.Empty(), "a machine was not met, though Terraform has nothing to do")
	_, err = op.Run(t.Context(), again.Plan(), op.Options{})
	require.NoError(t, err)
	assert.Equal(t, []string{"a2 10.0.0.13"}, met)

	preview, err = op.Preview(t.Context(), machinesOf(c, &cloud{hosts: lifecycletest.ThreeMachines()}, nil, &met).Plan())
	require.NoError(t, err)
	require.True(t, preview.Empty())
}

func TestAFailedApplyIsGoneOnWith(t *testing.T) {
	c := lifecycletest.Written(t, lifecycletest.OnMachines)
	f := &cloud{plan: terraform.Plan{Create: []string{`aws_instance.host["m1"]`}}, applying: func() error {
		return &terraform.LockedError{Dir: "x", ID: "7"}
	}}
	var met []string
	_, err := op.Run(t.Context(), machinesOf(c, f, nil, &met).Plan(), op.Options{})
	var coded *Error
	require.ErrorAs(t, err, &coded)
	require.Equal(t, 5, coded.ExitCode())
	require.Empty(t, met)
	kept, err := inventory.Read(c)
	require.NoError(t, err)
	require.Equal(t, []string{"m1"}, kept.Making)
	require.Empty(t, kept.Hosts)
}

func TestAClusterThatLivesKeepsItsMachines(t *testing.T) {
	c := lifecycletest.Written(t, lifecycletest.OnMachines)
	require.NoError(t, inventory.Machines{Hosts: lifecycletest.ThreeMachines()}.Write(c))
	installed(t, c)
	for address, lost := range map[string]bool{`terraform_data.host["a1"]`: true, `terraform_data.host["a9"]`: false,
		`aws_vpc_security_group_ingress_rule.admin["a1"]`: false, `openstack_compute_instance_v2.host["m1"]`: true} {
		for _, plan := range []terraform.Plan{{Replace: []string{address}}, {Destroy: []string{address}}} {
			err := (&Machines{cluster: c, plan: &plan}).refuseLoss()
			require.Equal(t, lost, err != nil, "%s: %v", address, err)
		}
	}
	require.NoError(t, os.WriteFile(c.File, []byte(lifecycletest.OnMachines+"machines: {agents: 1}\n"), 0o600))
	fewer, err := config.Load(c.File)
	require.NoError(t, err)
	var met []string
	require.ErrorContains(t, machinesOf(fewer, &cloud{hosts: lifecycletest.ThreeMachines()}, nil, &met).refused(), "without a2")
	require.NoError(t, os.WriteFile(c.File, []byte(lifecycletest.OnMachines+"machines: {agents: 3}\n"), 0o600))
	more, err := config.Load(c.File)
	require.NoError(t, err)
	require.NoError(t, machinesOf(more, &cloud{hosts: lifecycletest.ThreeMachines()}, nil, &met).refused())
}

func TestErrorsOfTerraformHaveTheirExitCodes(t *testing.T) {
	for _, test := range []struct {
		err  error
		code int
	}{{&terraform.ProgramError{Reason: "none"}, 3}, {&terraform.StateError{Reason: "another's"}, 3}, {&terraform.LockedError{}, 5}} {
		var coded interface{ ExitCode() int }
		require.ErrorAs(t, withCode(test.err), &coded)
		require.Equal(t, test.code, coded.ExitCode())
		var hinted interface{ Hint() string }
		require.ErrorAs(t, withCode(test.err), &hinted)
	}
	plain := errors.New("x")
	require.Equal(t, plain, withCode(plain))
	c := lifecycletest.Written(t, lifecycletest.OnMachines+"machines: {terraform: /nonexistent/terraform}\n")
	_, err := Plan(t.Context(), c, inventory.Access{})
	require.ErrorContains(t, err, "there is no terraform at /nonexistent/terraform")
	none, err := Plan(t.Context(), lifecycletest.Local(t, ""), inventory.Access{})
	require.NoError(t, err)
	require.Nil(t, none)
	require.NoError(t, none.Discard())
}

func TestNotesAboutAddresses(t *testing.T) {
	inside := lifecycletest.ThreeMachines()
	m := &Machines{kept: inventory.Machines{Hosts: inside}, notes: []string{"b", "a"}}
	require.Equal(t, []string{"a", "b"}, m.Notes())
	inside[0].SSHAddress = "198.51.100.7"
	require.Contains(t, strings.Join(m.Notes(), "\n"), "must reach that network")
}

func TestAMachineThatIsGoneIsMadeAgain(t *testing.T) {
	c := lifecycletest.Written(t, lifecycletest.OnMachines)
	require.NoError(t, inventory.Machines{Hosts: lifecycletest.ThreeMachines()}.Write(c))
	installed(t, c)
	var met []string
	m := machinesOf(c, &cloud{plan: terraform.Plan{Create: []string{`terraform_data.host["a1"]`}}, hosts: lifecycletest.ThreeMachines()}, nil, &met)
	require.NoError(t, m.refused())
	require.NoError(t, m.refuseLoss(), "there is nothing left to lose")
	require.Contains(t, strings.Join(m.changes(), "\n"), "a1 belonged to the cluster and is gone")
	require.NoError(t, m.make(t.Context(), lifecycletest.Quiet))
	require.Equal(t, []string{"a1 10.0.0.12"}, met, "its new key is pinned")

	m = machinesOf(c, &cloud{plan: terraform.Plan{Create: []string{`terraform_data.host["a3"]`}}, hosts: lifecycletest.ThreeMachines()}, nil, &met)
	require.NotContains(t, strings.Join(m.changes(), "\n"), "is gone", "a new one was never there")
}

func TestHostsOfOnesOwnTerraformStayWhereTheyAre(t *testing.T) {
	c := lifecycletest.Written(t, "apiVersion: jomctl/v1\nname: ci\ntarget: hosts\nhostsFrom: {terraform: infra, output: hosts}\n")
	both := lifecycletest.Machine("m1", "10.0.0.11", "control", "mesos-agent")
	require.NoError(t, inventory.Machines{Hosts: []terraform.Host{both}}.Write(c))
	installed(t, c)
	both.Address = "10.0.0.99"
	require.NoError(t, inventory.Machines{Hosts: []terraform.Host{both}}.Fill(c))
	require.ErrorContains(t, unmoved(c), "hosts.m1.address: 10.0.0.99: the host is installed at 10.0.0.11")

	err := inventory.Machines{Hosts: []terraform.Host{lifecycletest.Machine("m1", "10.0.0.11", "boss")}}.Fill(c)
	require.ErrorContains(t, err, "gives hosts that cannot be used")
	require.ErrorContains(t, err, "must be one of control, mesos-agent")

	err = readHosts(t.Context(), c, inventory.Access{})
	require.Error(t, err, "there is no such folder, or no Terraform")
}
