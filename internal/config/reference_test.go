package config

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/cluster-yaml.md anew")

const referenceFile = "../../docs/cluster-yaml.md"

const referenceHead = "# cluster.yaml\n\n" +
	"<!-- Written by `go test ./internal/config -run TestReference -update` from internal/config/types.go. Do not edit. -->\n\n" +
	"The one file that a user owns: everything `jomctl` does starts from it. `jomctl install` asks a few questions and writes it,\n" +
	"`jomctl config validate` checks it, `jomctl config show` prints it with all defaults, and `jomctl config schema` prints its\n" +
	"JSON Schema for editors.\n\n" +
	"- Every key has a default but `apiVersion`, `name` and `target`, and for target `hosts` the hosts.\n" +
	"- Unknown keys are errors, and so are keys that come twice, anchors, aliases and tags. All problems are reported at once, each as\n" +
	"  `FILE:LINE:COLUMN: path: value: rule (fix)`, with exit code 2.\n" +
	"- Sizes have a unit: B, KB, MB, GB, TB (thousands) or KiB, MiB, GiB, TiB (1024), as in `512MiB` or `1.5GiB`.\n" +
	"- Times have a unit: `d`, `h`, `m`, `s`, `ms`, as in `10m`, `1h30m` or `1d`.\n" +
	"- Secrets are references and never values: `env:NAME` or `file:PATH`.\n" +
	"- Relative paths are taken from the folder of the file, and `~` is the home folder. What jomctl itself keeps is in `.jomctl` beside the file.\n"

const referenceExamples = "\n## Examples\n\nEverything on this machine, with stand-ins for Mesos, Marathon and Jenkins:\n\n```yaml\n" + threeLines + "```\n\n" +
	"Real programs on this machine:\n\n```yaml\n" + realLocal + "```\n\nMachines over SSH, with every section:\n\n```yaml%s```\n"

const realLocal = `apiVersion: jomctl/v1
name: ci
target: local
local: {agents: 3}
components:
  mesos: {source: {path: /opt/mesos}}
  marathon: {source: {path: /opt/marathon}}
jenkins:
  war: ./jenkins.war
  app: {mem: 2GiB}
  scm: {repository: "git@git.example:ci/jenkins-home.git", key: file:~/.ssh/jenkins_sync}
`

// reference writes the page: one table per section, in the order of the file.
func reference(t *testing.T) string {
	t.Helper()
	r := &referenceWriter{
		defs:  schema().Definitions,
		local: parse(t, threeLines),
		hosts: parse(t, "apiVersion: jomctl/v1\nname: ci\ntarget: hosts\nhosts:\n  - {name: m1, address: 10.0.0.1, roles: [control]}\n  - {name: a1, address: 10.0.0.2, roles: [mesos-agent]}\n"),
	}
	r.b.WriteString(referenceHead)
	fmt.Fprintf(&r.b, referenceExamples, hostsFile)
	r.b.WriteString("\n## Keys\n\nA default of two values is that of target `local` and that of the other targets.\n")
	r.section("", "Cluster")
	return r.b.String()
}

type referenceWriter struct {
	b            strings.Builder
	defs         jsonschema.Definitions
	local, hosts *Cluster
}

func (r *referenceWriter) section(path, def string) {
	title := "the top of the file"
	if path != "" {
		title = "`" + path + "`"
	}
	fmt.Fprintf(&r.b, "\n### %s\n\n%s\n\n| key | value | default | |\n|---|---|---|---|\n", title, r.defs[def].Description)
	type below struct{ path, def string }
	var next []below
	for p := r.defs[def].Properties.Oldest(); p != nil; p = p.Next() {
		at := join(path, p.Key)
		kind, inner := r.kind(p.Value)
		if inner != "" {
			if strings.HasPrefix(kind, "list") {
				next = append(next, below{at + "[]", inner})
			} else {
				next = append(next, below{at, inner})
			}
		}
		fmt.Fprintf(&r.b, "| `%s` | %s | %s | %s |\n", p.Key, kind, r.fallback(at, p.Value), cell(p.Value.Description))
	}
	for _, n := range next {
		if n.def != "Source" || n.path == "components.zookeeper.source" { // the same three times
			r.section(n.path, n.def)
		}
	}
}

// kind says in words what a value is, and the section that describes it.
func (r *referenceWriter) kind(s *jsonschema.Schema) (kind, inner string) {
	switch {
	case s.Ref != "":
		return "section", strings.TrimPrefix(s.Ref, "#/$defs/")
	case len(s.OneOf) > 0:
		return "`standin` or a section", "Source"
	case s.Const != nil:
		return fmt.Sprintf("`%v`", s.Const), ""
	case len(s.Enum) > 0:
		var words []string
		for _, e := range s.Enum {
			words = append(words, fmt.Sprintf("`%v`", e))
		}
		return strings.Join(words, ", "), ""
	case s.Type == "array":
		kind, inner := r.kind(s.Items)
		if inner != "" {
			return "list of sections", inner
		}
		return "list of " + kind, ""
	case s.Type == "object":
		return "names and texts", ""
	case s.Pattern == SizePattern:
		return "size", ""
	case s.Pattern == DurationPattern:
		return "time", ""
	case s.Pattern == secretForm.String():
		return "`env:NAME` or `file:PATH`", ""
	case s.Type == "string":
		return "text", ""
	}
	return s.Type, ""
}

// fallback is the default of a key, for both kinds of targets.
func (r *referenceWriter) fallback(path string, s *jsonschema.Schema) string {
	if path == "apiVersion" || path == "name" || path == "target" || strings.Contains(path, "[]") || path == "hosts" {
		return r.template(path)
	}
	value := func(c *Cluster) string {
		for _, l := range leaves(reflect.ValueOf(c).Elem(), "", nil) {
			if v := l.get(c); l.path == path && !v.IsZero() {
				return "`" + flow(v) + "`"
			}
		}
		return ""
	}
	local, hosts := value(r.local), value(r.hosts)
	empty := &Cluster{Jenkins: Jenkins{SCM: &SCM{}}, Backup: &Backup{}, Maintenance: &Maintenance{},
		Components: Components{Marathon: MarathonComponent{BasicAuth: &BasicAuth{}}}}
	Default(empty)
	switch {
	case strings.HasPrefix(path, "jenkins.scm.") || strings.HasPrefix(path, "backup.") || strings.HasPrefix(path, "maintenance."),
		strings.HasPrefix(path, "components.marathon.basicAuth."):
		return value(empty)
	case path == "registry.address":
		return ""
	case strings.HasPrefix(path, "local.") || local == hosts:
		return local
	case strings.HasPrefix(path, "ssh.") || strings.HasPrefix(path, "registry."):
		return hosts
	case local == "":
		return "none, " + hosts
	case hosts == "":
		return local + ", none"
	}
	return local + ", " + hosts
}

// template is the default of a key of a build agent template; other lists have none.
func (r *referenceWriter) template(path string) string {
	key, ok := strings.CutPrefix(path, "jenkins.cloud.templates[].")
	v := reflect.ValueOf(r.local.Jenkins.Cloud.Templates[0])
	for i := range v.NumField() {
		if k, _ := keyOf(v.Type().Field(i)); ok && k == key && !v.Field(i).IsZero() {
			return "`" + flow(v.Field(i)) + "`"
		}
	}
	return ""
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func TestReference(t *testing.T) {
	want := reference(t)
	if *update {
		require.NoError(t, os.WriteFile(referenceFile, []byte(want), 0o644))
	}
	got, err := os.ReadFile(referenceFile)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "write it anew with: go test ./internal/config -run TestReference -update")
}

func TestReferenceNamesEveryKeyAndItsExamplesAreValid(t *testing.T) {
	text := reference(t)
	for _, path := range keyPaths(reflect.TypeFor[Cluster](), "") {
		require.Contains(t, text, "| `"+path[strings.LastIndexByte(path, '.')+1:]+"` |", path)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1)
	require.Len(t, examples, 3)
	for _, e := range examples {
		parse(t, e[1])
		require.NoError(t, check(t, e[1]))
	}
}
