package terraform

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"
)

var clouds = []string{"aws", "openstack"}

func file(t testing.TB, name string) string {
	t.Helper()
	data, err := modules.ReadFile(name)
	require.NoError(t, err)
	return string(data)
}

// blocks parses all files of a module, and returns its top-level blocks as "type label label".
func blocks(t *testing.T, target string) map[string]*hclsyntax.Block {
	t.Helper()
	parser, all := hclparse.NewParser(), map[string]*hclsyntax.Block{}
	names, err := fs.Glob(modules, target+"/*.tf")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		parsed, diagnostics := parser.ParseHCL([]byte(file(t, name)), name)
		require.False(t, diagnostics.HasErrors(), diagnostics.Error())
		for _, b := range parsed.Body.(*hclsyntax.Body).Blocks {
			id := strings.Join(append([]string{b.Type}, b.Labels...), " ")
			if b.Type != "locals" {
				require.NotContains(t, all, id, name)
			}
			all[id] = b
		}
	}
	return all
}

func TestModulesHaveTheSameInputsRulesAndInventory(t *testing.T) {
	for _, target := range Targets() {
		require.Equal(t, file(t, "docker/variables.tf"), file(t, target+"/variables.tf"), target)
		all := blocks(t, target)
		require.Contains(t, all, "resource terraform_data identity", target)
		output := all["output inventory"]
		require.NotNil(t, output, target)
		require.Equal(t, []string{"address", "attributes", "name", "number", "port", "roles", "ssh_address", "user"}, inventoryKeys(t, output), target)
	}
	for _, name := range []string{"/rules.tf", "/cloud-init.yaml.tftpl"} {
		require.Equal(t, file(t, "aws"+name), file(t, "openstack"+name))
	}
}

func inventoryKeys(t *testing.T, output *hclsyntax.Block) []string {
	t.Helper()
	loop, ok := output.Body.Attributes["value"].Expr.(*hclsyntax.ForExpr)
	require.True(t, ok, "inventory is a list made of hosts")
	var keys []string
	for _, item := range loop.ValExpr.(*hclsyntax.ObjectConsExpr).Items {
		key, diagnostics := item.KeyExpr.Value(nil)
		require.False(t, diagnostics.HasErrors())
		keys = append(keys, key.AsString())
	}
	slices.Sort(keys)
	return keys
}

// Without the providers `terraform validate` cannot run, so at least every name that is used must be there.
func TestEveryReferenceHasItsDeclaration(t *testing.T) {
	for _, target := range Targets() {
		all, locals := blocks(t, target), map[string]bool{}
		names, err := fs.Glob(modules, target+"/*.tf")
		require.NoError(t, err)
		var references []hcl.Traversal
		for _, name := range names {
			parsed, _ := hclsyntax.ParseConfig([]byte(file(t, name)), name, hcl.InitialPos)
			body := parsed.Body.(*hclsyntax.Body)
			for _, b := range body.Blocks {
				if b.Type == "locals" {
					for local := range b.Body.Attributes {
						locals[local] = true
					}
				}
				if b.Type == "resource" {
					references = append(references, dependsOn(b)...)
				}
			}
			references = append(references, variablesIn(body)...)
		}
		for _, r := range references {
			parts := words(r)
			switch parts[0] {
			case "var":
				require.Contains(t, all, "variable "+parts[1], target)
			case "local":
				require.True(t, locals[parts[1]], "%s: local.%s", target, parts[1])
			case "data":
				require.Contains(t, all, strings.Join(parts[:3], " "), target)
			case "each", "self", "path", "string", "number", "list", "map":
			default:
				require.Contains(t, all, "resource "+strings.Join(parts[:2], " "), "%s: %v", target, parts)
			}
		}
		require.Greater(t, len(references), 20, target)
	}
}

func dependsOn(b *hclsyntax.Block) []hcl.Traversal {
	if a := b.Body.Attributes["depends_on"]; a != nil {
		return a.Expr.Variables()
	}
	return nil
}

// variablesIn are the references in all expressions of a body that are no names of its own (loop variables) and no types.
func variablesIn(body *hclsyntax.Body) (all []hcl.Traversal) {
	for name, a := range body.Attributes {
		if name != "type" && name != "when" && name != "ignore_changes" {
			all = append(all, a.Expr.Variables()...)
		}
	}
	for _, b := range body.Blocks {
		all = append(all, variablesIn(b.Body)...)
	}
	return all
}

func words(r hcl.Traversal) (parts []string) {
	for _, step := range r {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			parts = append(parts, s.Name)
		case hcl.TraverseAttr:
			parts = append(parts, s.Name)
		}
	}
	return append(parts, "", "")
}

func TestModulesAreFormatted(t *testing.T) {
	out, err := exec.Command(program(t), "fmt", "-check", "-recursive", "-diff", ".").Output()
	require.NoError(t, err, string(out))
}

func TestProvidersAreBoundedAndTakeNoSecretFromVariables(t *testing.T) {
	for _, target := range clouds {
		all := blocks(t, target)
		for _, b := range all["terraform"].Body.Blocks {
			for name, a := range b.Body.Attributes {
				v, diagnostics := a.Expr.Value(nil)
				require.False(t, diagnostics.HasErrors())
				require.Regexp(t, `^>= \d+\.\d+\.\d+, < \d+\.0\.0$`, v.GetAttr("version").AsString(), "%s: provider %s, from the oldest that was tried to the next major one", target, name)
			}
		}
		for id, b := range all {
			if b.Type == "provider" {
				for name := range b.Body.Attributes {
					require.Equal(t, "region", name, id)
				}
			}
			if b.Type == "variable" {
				require.NotRegexp(t, "(?i)password|secret|token|private", id)
			}
		}
	}
}

func TestInputsAreCheckedWithTheirReason(t *testing.T) {
	for reason, change := range map[string]func(*Variables){
		"cluster must be a DNS label":       func(v *Variables) { v.Cluster = "My Cluster" },
		"every number may be used once":     func(v *Variables) { v.Hosts[1].Number = 1 },
		"whole number from 1 to 200":        func(v *Variables) { v.Hosts[1].Number = 201 },
		"may be control and mesos-agent":    func(v *Variables) { v.Hosts[1].Roles = []string{"master"} },
		"cidr must be an IPv4 network":      func(v *Variables) { v.CIDR = "10.5.0.0/28" },
		"admin_cidrs must be networks":      func(v *Variables) { v.AdminCIDRs = []string{"me"} },
		"task_ports must be from <= to":     func(v *Variables) { v.TaskPorts = &PortRange{From: 5, To: 1} },
		"must be one line of a public key":  func(v *Variables) { v.SSHPublicKey = "hunter2" },
		"hosts[].name must be a DNS label":  func(v *Variables) { v.Hosts[0].Name = "m_1" },
		"region must be empty for docker":   func(v *Variables) { v.Region = "eu" },
		"docker may have apt_cache only":    func(v *Variables) { v.Options = map[string]string{"zones": "a"} },
		"flavor of docker must be CPUSxMEM": func(v *Variables) { v.Flavor = "large" },
	} {
		v := cloudVariables()
		v.Hosts = slices.Clone(v.Hosts)
		change(&v)
		d, err := New(t.Context(), Options{Dir: t.TempDir(), Target: "docker", Program: program(t), Variables: v})
		require.NoError(t, err)
		_, err = d.Plan(t.Context())
		require.Error(t, err, reason)
		require.Contains(t, oneLine(err.Error()), reason)
	}
}

func TestTheDockerModulePlansItsHosts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	d, err := New(t.Context(), Options{Dir: dir, Target: "docker", Program: program(t), Variables: cloudVariables()})
	require.NoError(t, err)
	p, err := d.Plan(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{`terraform_data.host["a1"]`, `terraform_data.host["a2"]`, `terraform_data.host["m1"]`,
		"terraform_data.identity", "terraform_data.network"}, p.Create)
	_, err = os.Stat(filepath.Join(dir, "host.sh"))
	require.NoError(t, err)
}

func TestAProviderThatCannotBeHadIsExplained(t *testing.T) {
	// A mirror without anything in it, so that no network is asked.
	mirror := filepath.Join(t.TempDir(), "rc")
	require.NoError(t, os.WriteFile(mirror, []byte(`provider_installation { filesystem_mirror { path = "`+t.TempDir()+`" } }`), 0o600))
	t.Setenv("TF_CLI_CONFIG_FILE", mirror)
	for _, target := range clouds {
		_, err := New(t.Context(), Options{Dir: t.TempDir(), Target: target, Program: program(t), Variables: cloudVariables()})
		var missing *StateError
		require.ErrorAs(t, err, &missing, target)
		require.ErrorContains(t, err, "the providers of this target cannot be downloaded")
	}
}
