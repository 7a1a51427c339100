package terraform

import (
	"encoding/json"
	"path"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// pure is what of a cloud's module needs no provider, with outputs that show what it works out.
func pure(t *testing.T, target, extra string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{"variables.tf", "rules.tf", "locals.tf", "cloud-init.yaml.tftpl"} {
		files[name] = &fstest.MapFile{Data: []byte(file(t, path.Join(target, name)))}
	}
	files["show.tf"] = &fstest.MapFile{Data: []byte(extra + `
resource "terraform_data" "identity" {
  input = { cluster = var.cluster, target = "` + target + `", layout = 1 }
}
output "hosts" { value = local.hosts }
output "internal" { value = local.internal_rules }
output "admin" { value = local.admin_rules }
`)}
	return files
}

type shown struct {
	Hosts map[string]struct {
		Address  string
		Zone     string
		UserData string `json:"user_data"`
	}
	Internal map[string]struct {
		To, From    string
		First, Last int
	}
	Admin map[string]struct {
		To, Cidr string
		Port     int
	}
}

func show(t *testing.T, target, extra string, v Variables) shown {
	t.Helper()
	o := Options{Dir: t.TempDir(), Target: target, Program: program(t), Variables: v}
	d, err := start(t.Context(), o, pure(t, target, extra))
	require.NoError(t, err)
	apply(t, d)
	outputs, err := d.tf.Output(t.Context())
	require.NoError(t, err)
	var s shown
	for name, into := range map[string]any{"hosts": &s.Hosts, "internal": &s.Internal, "admin": &s.Admin} {
		require.NoError(t, json.Unmarshal(outputs[name].Value, into))
	}
	return s
}

func cloudVariables() Variables {
	return Variables{Cluster: "ci", SSHPublicKey: key + "\n", CIDR: "10.5.0.0/24", AdminCIDRs: []string{"198.51.100.7/32", "203.0.113.0/24"},
		TaskPorts: &PortRange{From: 20000, To: 21000},
		Hosts: []HostVar{{Name: "m1", Number: 1, Roles: []string{"control"}}, {Name: "a1", Number: 2, Roles: []string{"mesos-agent"}},
			{Name: "a2", Number: 200, Roles: []string{"mesos-agent"}}}}
}

func TestCloudsOpenOnlyWhatTheRolesNeed(t *testing.T) {
	for target, extra := range map[string]string{"aws": `locals { zones = ["eu-1a"] }`, "openstack": ""} {
		t.Run(target, func(t *testing.T) {
			s := show(t, target, extra, cloudVariables())
			reaches := func(from, to string, port int) bool {
				for _, r := range s.Internal {
					if r.From == from && r.To == to && r.First <= port && port <= r.Last {
						return true
					}
				}
				return false
			}
			const control, agent = "control", "mesos-agent"
			for _, port := range []int{2181, 2888, 3888, 5050, 8090, 8092, 8080, 5055, 8091, 5000} {
				require.True(t, reaches(control, control, port), "control to control %d", port)
			}
			for _, port := range []int{2181, 5050, 8080, 5055, 8091, 50000, 5000} {
				require.True(t, reaches(agent, control, port), "agent to control %d", port)
			}
			for _, port := range []int{5051, 8080, 8093, 50000, 20000, 21000} {
				require.True(t, reaches(control, agent, port), "control to agent %d", port)
			}
			require.True(t, reaches(agent, agent, 20500))
			for _, port := range []int{2888, 3888, 8090, 22} {
				require.False(t, reaches(agent, control, port), "agent to control %d", port)
			}
			require.False(t, reaches(agent, agent, 5051))
			require.False(t, reaches(control, agent, 21001))

			outside := map[int]bool{}
			for _, r := range s.Admin {
				require.Contains(t, []string{"198.51.100.7/32", "203.0.113.0/24"}, r.Cidr)
				outside[r.Port] = true
				require.True(t, r.To == control || r.Port == 22, "agents show SSH alone")
			}
			require.Equal(t, map[int]bool{22: true, 8080: true, 5055: true, 8091: true, 50000: true, 5000: true}, outside)
			require.Len(t, s.Admin, 14, "each network has each port")
		})
	}
}

func TestAHostsAddressFollowsFromItsNumber(t *testing.T) {
	s := show(t, "openstack", "", cloudVariables())
	require.Equal(t, "10.5.0.11", s.Hosts["m1"].Address)
	require.Equal(t, "10.5.0.210", s.Hosts["a2"].Address)
	one := show(t, "aws", `locals { zones = ["eu-1a"] }`, cloudVariables())
	require.Equal(t, "10.5.0.11", one.Hosts["m1"].Address)
	v := cloudVariables()
	v.CIDR = "10.5.0.0/20"
	three := show(t, "aws", `locals { zones = ["eu-1a", "eu-1b", "eu-1c"] }`, v)
	require.Equal(t, "10.5.4.10", three.Hosts["m1"].Address)
	require.Equal(t, "eu-1b", three.Hosts["m1"].Zone)
	require.Equal(t, "eu-1c", three.Hosts["a1"].Zone)

	const want = "#cloud-config\nhostname: m1\npreserve_hostname: false\nssh_pwauth: false\ndisable_root: true\nusers:\n" +
		"  - name: debian\n    shell: /bin/bash\n    sudo: \"ALL=(ALL) NOPASSWD:ALL\"\n    ssh_authorized_keys:\n      - \"" + key + "\"\n"
	require.Equal(t, want, s.Hosts["m1"].UserData)
	require.Contains(t, one.Hosts["m1"].UserData, "name: admin\n")
}
