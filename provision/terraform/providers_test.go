package terraform

import (
	"context"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// providerOf are the sources of the providers, which name their folders in a mirror.
func providerOf(target string) string {
	return map[string]string{"aws": "hashicorp/aws", "openstack": "terraform-provider-openstack/openstack"}[target]
}

// mirrored has Terraform take providers from the folder JOMCTL_TEST_PROVIDERS and from nowhere else.
func mirrored(t *testing.T, target string) {
	t.Helper()
	mirror := os.Getenv("JOMCTL_TEST_PROVIDERS")
	if mirror == "" {
		t.Skip("JOMCTL_TEST_PROVIDERS names no folder with providers (scripts/build-providers.sh makes one, or `terraform providers mirror`)")
	}
	if _, err := os.Stat(filepath.Join(mirror, "registry.terraform.io", providerOf(target))); err != nil {
		t.Skipf("JOMCTL_TEST_PROVIDERS has no provider %s: %v", providerOf(target), err)
	}
	rc := filepath.Join(t.TempDir(), "rc")
	require.NoError(t, os.WriteFile(rc, []byte(`provider_installation { filesystem_mirror { path = "`+mirror+`" } }`), 0o600))
	t.Setenv("TF_CLI_CONFIG_FILE", rc)
	for _, pair := range os.Environ() { // no account of whoever runs the test
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "OS_") {
			t.Setenv(name, "")
			require.NoError(t, os.Unsetenv(name))
		}
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// withOverride is the module of a target with one more file, which Terraform merges over the others.
func withOverride(t *testing.T, target, text string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	entries, err := fs.ReadDir(modules, target)
	require.NoError(t, err)
	for _, e := range entries {
		files[e.Name()] = &fstest.MapFile{Data: []byte(file(t, target+"/"+e.Name()))}
	}
	if text != "" {
		files["test_override.tf"] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

func TestTheCloudsModulesAreValidForTheirProviders(t *testing.T) {
	for _, target := range clouds {
		t.Run(target, func(t *testing.T) {
			mirrored(t, target)
			d, err := New(t.Context(), Options{Dir: t.TempDir(), Target: target, Program: program(t), Variables: cloudVariables()})
			require.NoError(t, err)
			found, err := d.tf.Validate(t.Context())
			require.NoError(t, err)
			require.True(t, found.Valid)
			for _, d := range found.Diagnostics { // what is deprecated; of the provider as such some have always something to tell
				require.True(t, d.Range != nil && d.Range.Filename == "versions.tf", "%s: %s", d.Summary, d.Detail)
			}
		})
	}
}

// planned is the plan, and what it says of each resource.
func planned(t *testing.T, d *Driver) (*Plan, map[string]map[string]any) {
	t.Helper()
	p, err := d.Plan(t.Context())
	require.NoError(t, err)
	content, err := d.tf.ShowPlanFile(t.Context(), p.file)
	require.NoError(t, err)
	values := map[string]map[string]any{}
	for _, r := range content.ResourceChanges {
		if after, ok := r.Change.After.(map[string]any); ok && r.Mode == tfjson.ManagedResourceMode {
			values[r.Address] = after
		}
	}
	return p, values
}

// at digs in a value: names of objects, and whole numbers of lists.
func at(t *testing.T, value any, steps ...any) any {
	t.Helper()
	for _, step := range steps {
		switch s := step.(type) {
		case string:
			value = value.(map[string]any)[s]
		case int:
			require.Greater(t, len(value.([]any)), s, "%v", steps)
			value = value.([]any)[s]
		}
	}
	return value
}

// fakeAWS is the provider with an address for EC2 that answers what the data sources ask, and nothing else.
func fakeAWS(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(ec2())
	t.Cleanup(server.Close)
	return awsOverride(server.URL)
}

func awsOverride(url string) string {
	return `
# No account, no region and no machine of Amazon's is asked.
provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  endpoints {
    ec2 = "` + url + `"
    sts = "` + url + `"
  }
}`
}

func TestTheAWSModulePlansItsHosts(t *testing.T) {
	mirrored(t, "aws")
	o := Options{Dir: t.TempDir(), Target: "aws", Program: program(t), Variables: cloudVariables()}
	d, err := start(t.Context(), o, withOverride(t, "aws", fakeAWS(t)))
	require.NoError(t, err)
	p, values := planned(t, d)
	require.Empty(t, append(append(p.Change, p.Replace...), p.Destroy...))
	require.Subset(t, p.Create, []string{"aws_vpc.cluster", "aws_internet_gateway.cluster", "aws_route_table.cluster", `aws_subnet.zone["eu-central-1a"]`,
		`aws_security_group.role["control"]`, `aws_security_group.role["mesos-agent"]`, `aws_instance.host["m1"]`, `aws_instance.host["a1"]`, `aws_instance.host["a2"]`})
	host := values[`aws_instance.host["m1"]`]
	require.Equal(t, "ami-0debian12", host["ami"], "the newest of the images that Debian's account has")
	require.Equal(t, "10.5.0.11", host["private_ip"])
	require.Equal(t, "m6i.xlarge", host["instance_type"])
	require.Equal(t, "required", at(t, host, "metadata_options", 0, "http_tokens"))
	require.EqualValues(t, 40, at(t, host, "root_block_device", 0, "volume_size"))
	require.Equal(t, map[string]any{"Name": "ci-m1", "org.jomctl.cluster": "ci"}, host["tags_all"])
	require.Equal(t, "203.0.113.0/24", values[`aws_vpc_security_group_ingress_rule.admin["ssh-agent-203.0.113.0/24"]`]["cidr_ipv4"])
	ports := values[`aws_vpc_security_group_ingress_rule.internal["tasks-agents"]`]
	require.Equal(t, []any{20000.0, 21000.0}, []any{ports["from_port"], ports["to_port"]})
}

func TestTheOpenStackModuleMakesItsHostsAndTakesThemAway(t *testing.T) {
	mirrored(t, "openstack")
	cloud := newFakeOpenStack(t)
	v := cloudVariables()
	v.Options = map[string]string{"external_network": "public"}
	o := Options{Dir: t.TempDir(), Target: "openstack", Program: program(t), Variables: v}
	d, err := start(t.Context(), o, withOverride(t, "openstack", cloud.override()))
	require.NoError(t, err)
	p, values := planned(t, d)
	require.Empty(t, append(append(p.Change, p.Replace...), p.Destroy...))
	require.Subset(t, p.Create, []string{"openstack_networking_network_v2.cluster", "openstack_networking_subnet_v2.cluster", "openstack_networking_router_v2.cluster",
		`openstack_networking_secgroup_v2.role["control"]`, `openstack_networking_port_v2.host["a1"]`, `openstack_networking_floatingip_v2.host["a2"]`,
		`openstack_compute_instance_v2.host["m1"]`})
	require.Equal(t, "10.5.0.11", at(t, values[`openstack_networking_port_v2.host["m1"]`], "fixed_ip", 0, "ip_address"))
	host := values[`openstack_compute_instance_v2.host["m1"]`]
	require.Equal(t, "m1.xlarge", host["flavor_name"])
	require.Equal(t, "image-1", at(t, host, "block_device", 0, "uuid"))
	require.EqualValues(t, 40, at(t, host, "block_device", 0, "volume_size"))
	require.Equal(t, "public", values[`openstack_networking_floatingip_v2.host["m1"]`]["pool"])
	require.Equal(t, "external-1", values["openstack_networking_router_v2.cluster"]["external_network_id"])
	require.Empty(t, cloud.written(), "a plan makes nothing")

	require.NoError(t, d.Apply(t.Context(), p))
	hosts, err := d.Inventory(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"m1", "10.5.0.11"}, []string{hosts[0].Name, hosts[0].Address})
	require.Regexp(t, `^192\.0\.2\.\d+$`, hosts[0].SSHAddress)
	p, err = d.Plan(t.Context())
	require.NoError(t, err)
	why, err := d.tf.ShowPlanFileRaw(t.Context(), p.file)
	require.NoError(t, err)
	require.True(t, p.Empty(), why)
	p, err = d.PlanDestroy(t.Context())
	require.NoError(t, err)
	require.NoError(t, d.Apply(t.Context(), p))
	require.Empty(t, cloud.left())
}

// moto starts the stand-in of AWS that many projects test with, which keeps what is made, and returns its address.
func moto(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("moto_server")
	if err != nil {
		if program, err = exec.LookPath(filepath.Join(os.Getenv("JOMCTL_TEST_PROVIDERS"), "moto/bin/moto_server")); err != nil {
			t.Skipf("no moto_server (scripts/build-providers.sh installs one): %v", err)
		}
	}
	host, port, err := net.SplitHostPort(testkit.FreeAddr(t, "127.0.0.1"))
	require.NoError(t, err)
	server := exec.Command(program, "-H", host, "-p", port)
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	address := "http://" + net.JoinHostPort(host, port)
	testkit.Eventually(t, 2*time.Minute, "moto_server answers", func(ctx context.Context) bool {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/moto-api/", nil)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		return response.Body.Close() == nil && response.StatusCode == http.StatusOK
	})
	return address
}

func TestTheAWSModuleMakesItsHostsAndTakesThemAway(t *testing.T) {
	mirrored(t, "aws")
	v := cloudVariables()
	v.CIDR, v.Image = "10.5.0.0/20", "ami-03cf127a"
	v.Options = map[string]string{"zones": "eu-central-1a,eu-central-1b"}
	files := withOverride(t, "aws", awsOverride(moto(t)))
	o := Options{Dir: filepath.Join(t.TempDir(), "state"), Target: "aws", Program: program(t), Variables: v}
	begin := func() *Driver {
		d, err := start(t.Context(), o, files)
		require.NoError(t, err)
		return d
	}
	d := begin()
	apply(t, d)
	hosts, err := d.Inventory(t.Context())
	require.NoError(t, err)
	require.Len(t, hosts, 3)
	require.Equal(t, []string{"m1", "10.5.4.10", "a1", "10.5.0.11"}, []string{hosts[0].Name, hosts[0].Address, hosts[1].Name, hosts[1].Address})
	require.NotEmpty(t, hosts[0].SSHAddress)
	p, err := d.Plan(t.Context())
	require.NoError(t, err)
	// moto keeps neither descriptions of rules nor an instance's groups, which is changed again; nothing may be made anew for it.
	require.Empty(t, append(append(p.Create, p.Replace...), p.Destroy...), p.Text())
	require.NoError(t, p.Discard())

	// A host comes, another goes, and nothing else moves.
	o.Variables.Hosts = []HostVar{v.Hosts[0], v.Hosts[1], {Name: "a3", Number: 3, Roles: []string{"mesos-agent"}}}
	d = begin()
	p, err = d.Plan(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{`aws_instance.host["a3"]`}, p.Create)
	require.Equal(t, []string{`aws_instance.host["a2"]`}, p.Destroy)
	require.Empty(t, p.Replace)
	require.NoError(t, d.Apply(t.Context(), p))

	p, err = d.PlanDestroy(t.Context())
	require.NoError(t, err)
	require.NoError(t, d.Apply(t.Context(), p))
	hosts, err = d.Inventory(t.Context())
	require.NoError(t, err)
	require.Empty(t, hosts)
}
